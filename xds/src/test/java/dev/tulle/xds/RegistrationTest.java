package dev.tulle.xds;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.common.LocalRefusals;
import dev.tulle.common.OwnerThread;
import dev.tulle.common.SocketAccess;
import dev.tulle.model.AppProtocol;
import dev.tulle.model.Locality;
import dev.tulle.model.Workload;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Both halves of the registration stream over real gRPC. */
class RegistrationTest {
    private final FakeRegistry registry = new FakeRegistry();

    @TempDir
    private Path directory = Path.of("");

    private Path socket() {
        return directory.resolve("xds.sock");
    }

    @Test
    void aNodeGetsItsLeaseAndItsWorkloadsSurviveAReconnect() throws Exception {
        OwnerThread owner = new OwnerThread("registration-test");
        XdsServer server = XdsServer.start(new XdsServerOptions(socket()), owner, registry);
        Leases leases = new Leases();
        Locality place = Locality.parse("r/z");
        try (RegistrationClient client =
                XdsClients.register(new RegistrationOptions(socket(), "n1", "", place), leases)) {
            WorkloadRegistration w = workload("w", "100.64.3.2");
            assertEquals(
                    new RegistrationAnswer.Accepted("n1/default/w"),
                    client.register(w).get(20, TimeUnit.SECONDS));
            assertEquals("100.64.3.0/24", leases.take());
            assertEquals(w, owner.call(() -> registry.workloads.get("n1/default/w")));
            RegistrationAnswer refused = client.register(new WorkloadRegistration(
                            "x", "default", "x", List.of(), Map.of(), List.of(), List.of(), true))
                    .get(20, TimeUnit.SECONDS);
            assertInstanceOf(RegistrationAnswer.Refused.class, refused);
            client.health("n1/default/w", false);
            ClientServerTest.until(() -> owner.call(() -> registry.events.contains("health n1/default/w false")));

            server.close();
            ClientServerTest.until(() -> !client.status().connected());
            var late = client.register(workload("late", "100.64.3.3"));
            owner.call(() -> {
                registry.events.clear();
                return true;
            });
            server = XdsServer.start(new XdsServerOptions(socket()), owner, registry);
            assertInstanceOf(RegistrationAnswer.Accepted.class, late.get(20, TimeUnit.SECONDS));
            assertEquals("100.64.3.0/24", leases.take());
            ClientServerTest.until(() -> owner.call(() -> registry.events.contains("announced n1 3")));
            List<String> events = owner.call(() -> List.copyOf(registry.events));
            assertEquals("hello n1 100.64.3.0/24 in r/z", events.getFirst(), "it asks for the prefix that it has");
            assertEquals(
                    w.withHealth(false),
                    owner.call(() -> registry.workloads.get("n1/default/w")),
                    "with its present health");
            assertTrue(client.status().connected());
            assertEquals(3, client.status().workloads());

            client.deregister("n1/default/w");
            ClientServerTest.until(() -> owner.call(() -> registry.events.contains("deregister n1/default/w")));
        }
        ClientServerTest.until(() -> owner.call(() -> registry.events.contains("disconnected n1")));
        server.close();
        owner.close();
    }

    @Test
    void aWorkloadIsAcceptedOnceItIsInForce() throws Exception {
        OwnerThread owner = new OwnerThread("registration-test");
        List<Runnable> waiting = new ArrayList<>();
        registry.waiting = waiting;
        try (XdsServer server = XdsServer.start(new XdsServerOptions(socket()), owner, registry);
                RegistrationClient client =
                        XdsClients.register(new RegistrationOptions(socket(), "n1", ""), new Leases())) {
            var early = client.register(workload("w", "100.64.3.2"));
            ClientServerTest.until(() -> owner.call(() -> waiting.size() == 1));
            assertFalse(early.isDone());
            // Announced anew with another address: that the first announcement is in force says nothing of it.
            var late = client.register(workload("w", "100.64.3.3"));
            ClientServerTest.until(() -> owner.call(() -> waiting.size() == 2));
            owner.execute(() -> waiting.removeFirst().run());
            client.health("n1/default/w", false);
            ClientServerTest.until(() -> owner.call(() -> registry.events.contains("health n1/default/w false")));
            assertFalse(late.isDone());
            owner.execute(() -> waiting.removeFirst().run());
            assertInstanceOf(RegistrationAnswer.Accepted.class, late.get(20, TimeUnit.SECONDS));
            assertInstanceOf(RegistrationAnswer.Accepted.class, early.get(20, TimeUnit.SECONDS));
        } finally {
            owner.close();
        }
    }

    @Test
    void aNodeThatWaitsAnnouncesNothingBeforeItHasBegun() throws Exception {
        OwnerThread owner = new OwnerThread("registration-test");
        try (XdsServer server = XdsServer.start(new XdsServerOptions(socket()), owner, registry);
                RegistrationClient client =
                        XdsClients.registerLater(new RegistrationOptions(socket(), "n1", ""), new Leases())) {
            var _ = client.register(workload("one", "100.64.3.2"));
            var last = client.register(workload("two", "100.64.3.3"));
            client.begin();
            assertInstanceOf(RegistrationAnswer.Accepted.class, last.get(20, TimeUnit.SECONDS));
            ClientServerTest.until(() -> owner.call(() -> registry.events.contains("announced n1 2")));
            assertEquals(1L, owner.call(() -> registry.events.stream()
                    .filter(event -> event.startsWith("announced"))
                    .count()));
        } finally {
            owner.close();
        }
    }

    @Test
    void anotherAgentCannotTakeTheNameOfOneThatIsConnected() throws Exception {
        OwnerThread owner = new OwnerThread("registration-test");
        LocalRefusals refusals = new LocalRefusals();
        XdsServerOptions options = new XdsServerOptions(socket(), SocketAccess.owner(), refusals);
        try (XdsServer _ = XdsServer.start(options, owner, registry)) {
            RegistrationOptions same = new RegistrationOptions(socket(), "n1", "");
            Leases first = new Leases();
            Leases second = new Leases();
            RegistrationClient old = XdsClients.register(same, first);
            first.take();
            RegistrationClient young = XdsClients.register(same, second);
            String trouble = second.trouble();
            assertTrue(trouble.contains("node n1 is registered by another agent (uid "), trouble);
            assertTrue(trouble.contains("expected another node name"), trouble);
            assertTrue(old.status().connected());
            assertTrue(refusals.total() >= 1);

            old.close();
            assertEquals("100.64.3.0/24", second.take(), "the name is free when its agent has gone");
            young.close();
        } finally {
            owner.close();
        }
    }

    @Test
    void aNodeWhoseMessageCouldNotBeKeptComesBack() throws Exception {
        OwnerThread owner = new OwnerThread("registration-test", 4);
        List<Runnable> waiting = new ArrayList<>();
        registry.waiting = waiting;
        Leases leases = new Leases();
        try (XdsServer server = XdsServer.start(new XdsServerOptions(socket()), owner, registry);
                RegistrationClient client = XdsClients.register(new RegistrationOptions(socket(), "n1", ""), leases)) {
            assertEquals("100.64.3.0/24", leases.take());
            var answer = client.register(workload("w", "100.64.3.2"));
            ClientServerTest.until(() -> owner.call(() -> waiting.size() == 1));

            CountDownLatch held = new CountDownLatch(1);
            CountDownLatch free = new CountDownLatch(1);
            owner.execute(() -> {
                held.countDown();
                try {
                    assertTrue(free.await(20, TimeUnit.SECONDS));
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                }
            });
            // A task that has not begun has a place in the queue, and would give it to the message.
            assertTrue(held.await(20, TimeUnit.SECONDS));
            AtomicReference<RuntimeException> thrown = new AtomicReference<>();
            // What is told of the old stream, before and after its end.
            Runnable tell = () -> {
                try {
                    waiting.getFirst().run();
                } catch (RuntimeException e) {
                    thrown.set(e);
                }
            };
            while (owner.offer(tell)) {
                // Until no task has room any more.
                assertEquals(1, free.getCount());
            }
            client.health("n1/default/w", false);
            Thread.sleep(1_000);
            free.countDown();

            assertEquals("100.64.3.0/24", leases.take(), "on a new stream");
            ClientServerTest.until(() -> owner.call(() -> waiting.size() == 2));
            assertTrue(owner.call(() -> registry.events.contains("disconnected n1")));
            owner.execute(tell);
            owner.execute(() -> waiting.getLast().run());
            assertInstanceOf(RegistrationAnswer.Accepted.class, answer.get(20, TimeUnit.SECONDS));
            assertNull(thrown.get());
        } finally {
            owner.close();
        }
    }

    @Test
    void aRefusedNodeIsToldWhy() throws Exception {
        OwnerThread owner = new OwnerThread("registration-test");
        registry.refuse = "the workload range is used up";
        try (XdsServer server = XdsServer.start(new XdsServerOptions(socket()), owner, registry)) {
            Leases leases = new Leases();
            RegistrationClient client = XdsClients.register(new RegistrationOptions(socket(), "n1", ""), leases);
            assertTrue(leases.trouble().contains("the workload range is used up"));
            client.close();
        } finally {
            owner.close();
        }
    }

    private static WorkloadRegistration workload(String name, String address) {
        return new WorkloadRegistration(
                name,
                "default",
                name,
                List.of(address),
                Map.of("app", name, "version", "v1"),
                List.of("reviews"),
                List.of(new Workload.WorkloadPort(9080, AppProtocol.HTTP)),
                true);
    }

    private static final class Leases implements RegistrationClient.Listener {
        private final BlockingQueue<String> prefixes = new LinkedBlockingQueue<>();
        private final BlockingQueue<String> troubles = new LinkedBlockingQueue<>();

        @Override
        public void onLease(NodeLease lease) {
            prefixes.add(lease.prefix());
        }

        @Override
        public void onTrouble(String reason) {
            troubles.add(reason);
        }

        String take() throws InterruptedException {
            return String.valueOf(prefixes.poll(20, TimeUnit.SECONDS));
        }

        String trouble() throws InterruptedException {
            return String.valueOf(troubles.poll(20, TimeUnit.SECONDS));
        }
    }
}
