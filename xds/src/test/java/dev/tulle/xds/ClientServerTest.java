package dev.tulle.xds;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.common.OwnerThread;
import dev.tulle.model.Endpoint;
import dev.tulle.model.EndpointSet;
import dev.tulle.model.RouteConfiguration;
import dev.tulle.model.Service;
import dev.tulle.model.Workload;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Server and client over real gRPC. */
class ClientServerTest {
    private final TestMesh mesh = new TestMesh();
    private OwnerThread owner = new OwnerThread("server-test");
    private XdsServer server;

    @TempDir
    private Path directory = Path.of("");

    // The lifecycle method below sets it before any test runs.
    @SuppressWarnings("NullAway.Init")
    ClientServerTest() {}

    @BeforeEach
    void start() throws IOException {
        server = XdsServer.start(new XdsServerOptions(socket()), owner, new FakeRegistry());
    }

    private Path socket() {
        return directory.resolve("xds.sock");
    }

    @AfterEach
    void stop() {
        server.close();
        owner.close();
    }

    @Test
    void aClientSeesWhatItWatchesAndItsChanges() throws Exception {
        try (XdsClient client = connect()) {
            Recorder<RouteConfiguration> route = new Recorder<>();
            Recorder<Service> service = new Recorder<>();
            Recorder<Workload> workload = new Recorder<>();
            Recorder<Service> notAService = new Recorder<>();
            try (Subscription a = client.watch(ResourceType.ROUTE, "a:9080", route);
                    Subscription b = client.watch(ResourceType.SERVICE, "/240.240.0.1", service);
                    Subscription c = client.watch(ResourceType.WORKLOAD, "/100.64.0.2", workload);
                    Subscription d = client.watch(ResourceType.SERVICE, "/100.64.0.2", notAService)) {
                mesh.route("a", "");
                mesh.service("a", "240.240.0.1");
                mesh.workload("w", true, "100.64.0.2");
                long number = update();
                assertEquals(mesh.routes.get("a:9080"), route.value(value -> true));
                assertEquals("a", service.value(value -> true).hostname());
                assertEquals("n1/default/w", workload.value(value -> true).uid());
                assertInstanceOf(Recorder.Event.Absent.class, notAService.next());
                assertTrue(synced(number));

                mesh.route("a", "v1");
                update();
                assertEquals(mesh.routes.get("a:9080"), route.value(value -> true));
                mesh.workload("w", false, "100.64.0.2");
                update();
                assertFalse(workload.value(value -> true).healthy());
                mesh.services.clear();
                update();
                assertInstanceOf(Recorder.Event.Absent.class, service.next());
            }
        }
        until(() -> owner.call(server::clients).isEmpty());
    }

    private List<ClientStand> stands(long number, int millis) throws Exception {
        return owner.call(() -> server.awaitAnswers(number, Duration.ofMillis(millis)))
                .get(20, TimeUnit.SECONDS);
    }

    private static ClientStand.Stand only(List<ClientStand> stands) {
        assertEquals(1, stands.size(), stands.toString());
        return stands.getFirst().stand();
    }

    @Test
    void aWatcherThatCannotUseAValueRefusesItUntilItHasAnother() throws Exception {
        try (XdsClient client = connect()) {
            Recorder<RouteConfiguration> picky = new Recorder<>() {
                @Override
                public void onChanged(RouteConfiguration value) {
                    super.onChanged(value);
                    if (value.toString().contains("|v1|")) {
                        throw new UnusableResourceException("no v1 here");
                    }
                }
            };
            mesh.route("a", "v1");
            long number = update();
            try (Subscription a = client.watch(ResourceType.ROUTE, "a:9080", picky)) {
                picky.value(value -> true);
                until(() -> owner.call(() -> server.stands(number)).stream()
                        .anyMatch(stand -> !stand.refusals().isEmpty()));
                Refusal refusal = stands(number, 5_000).getFirst().refusals().getFirst();
                assertEquals("rds a:9080", refusal.resource());
                assertEquals("no v1 here", refusal.reason());
                mesh.route("a", "v2");
                assertEquals(List.of(), stands(update(), 5_000).getFirst().refusals());
            }
        }
    }

    @Test
    void whatTheGateCouldNotCarryOutIsRefusedUntilItCan() throws Exception {
        java.util.concurrent.atomic.AtomicReference<String> trouble =
                new java.util.concurrent.atomic.AtomicReference<>("the maps are full");
        try (XdsClient client = connect()) {
            client.acknowledgeThrough(answer -> answer.accept(trouble.get()));
            Recorder<RouteConfiguration> route = new Recorder<>();
            mesh.route("a", "v1");
            long number = update();
            try (Subscription a = client.watch(ResourceType.ROUTE, "a:9080", route)) {
                route.value(value -> true);
                until(() -> owner.call(() -> server.stands(number)).stream()
                        .anyMatch(stand -> !stand.refusals().isEmpty()));
                assertEquals(
                        "the maps are full",
                        stands(number, 5_000).getFirst().refusals().getFirst().reason());
                trouble.set("");
                client.askAgain();
                until(() -> owner.call(() -> server.stands(number)).stream()
                        .allMatch(stand -> stand.refusals().isEmpty()));
                assertEquals(ClientStand.Stand.ANSWERED, only(stands(number, 5_000)));
            }
        }
    }

    @Test
    void whoDoesNotAnswerOrHasGoneWithoutAWordIsNamed() throws Exception {
        List<java.util.function.Consumer<String>> held = new java.util.concurrent.CopyOnWriteArrayList<>();
        XdsClient client = connect();
        client.acknowledgeThrough(held::add);
        Recorder<RouteConfiguration> route = new Recorder<>();
        mesh.route("a", "v1");
        long number = update();
        Subscription a = client.watch(ResourceType.ROUTE, "a:9080", route);
        route.value(value -> true);
        List<ClientStand> silent = stands(number, 200);
        assertEquals(ClientStand.Stand.SILENT, only(silent));
        assertTrue(silent.getFirst().detail().contains("rds"), silent.toString());
        held.forEach(answer -> answer.accept(""));
        assertEquals(ClientStand.Stand.ANSWERED, only(stands(number, 5_000)));
        client.vanish();
        until(() -> owner.call(server::clients).isEmpty());
        assertEquals(ClientStand.Stand.AWAY, only(stands(number, 200)));
        try (XdsClient successor = connect()) {
            until(() -> successor.status().connected());
            assertEquals(ClientStand.Stand.ANSWERED, only(stands(number, 5_000)), "it says who it is without a watch");
        }
        until(() -> owner.call(server::clients).isEmpty());
        assertEquals(List.of(), stands(number, 200), "who leaves in order is not waited for");
        a.close();
    }

    @Test
    void aMissingNameIsAbsentAtOnceAndASecondWatchIsToldWhatIsKnown() throws Exception {
        update();
        try (XdsClient client = connect()) {
            Recorder<RouteConfiguration> first = new Recorder<>();
            Recorder<RouteConfiguration> second = new Recorder<>();
            Subscription one = client.watch(ResourceType.ROUTE, "a:9080", first);
            assertInstanceOf(Recorder.Event.Absent.class, first.next());
            mesh.route("a", "");
            update();
            first.value(value -> true);
            Subscription two = client.watch(ResourceType.ROUTE, "a:9080", second);
            second.value(value -> true);
            one.close();
            mesh.route("a", "v1");
            update();
            second.value(value -> value.equals(mesh.routes.get("a:9080")));
            assertTrue(first.isQuiet());
            two.close();
            until(() -> client.status().types().getFirst().watched() == 0);
            Recorder<RouteConfiguration> third = new Recorder<>();
            Subscription again = client.watch(ResourceType.ROUTE, "a:9080", third);
            assertEquals(mesh.routes.get("a:9080"), third.value(value -> true));
            again.close();
        }
    }

    @Test
    void theLastGoodValueOutlivesAnOutageAndOnlyChangesComeAfterIt() throws Exception {
        try (XdsClient client = connect()) {
            Recorder<RouteConfiguration> kept = new Recorder<>();
            Recorder<RouteConfiguration> changed = new Recorder<>();
            mesh.route("kept", "");
            mesh.route("changed", "");
            update();
            Subscription one = client.watch(ResourceType.ROUTE, "kept:9080", kept);
            Subscription two = client.watch(ResourceType.ROUTE, "changed:9080", changed);
            kept.value(value -> true);
            changed.value(value -> true);

            server.close();
            assertInstanceOf(Recorder.Event.Trouble.class, kept.next());
            assertInstanceOf(Recorder.Event.Trouble.class, changed.next());
            assertFalse(client.status().connected());
            TimeUnit.MILLISECONDS.sleep(200);
            assertTrue(kept.isQuiet(), "trouble is told once, nothing is taken away");

            restart();
            mesh.route("changed", "v1");
            until(() -> client.status().connected());
            assertTrue(changed.isQuiet(), "a control plane that has not loaded its configuration says nothing");
            long number = update();
            assertEquals(mesh.routes.get("changed:9080"), changed.value(value -> true));
            assertTrue(synced(number));
            assertTrue(kept.isQuiet());
            assertEquals(
                    1,
                    owner.call(server::stats).pushes().get("rds"),
                    "one response with the one resource that changed");
            one.close();
            two.close();
        }
    }

    @Test
    void aClientThatIsSyncedAlsoHasWhatItAskedForInConsequence() throws Exception {
        String subset = "outbound|9080|v1|a";
        mesh.route("a", "");
        mesh.cluster("a", "v1", Duration.ofSeconds(1));
        mesh.endpoints("a", "v1", endpoint(1));
        update();
        try (XdsClient client = connect()) {
            Recorder<RouteConfiguration> route = new Recorder<>();
            Recorder<dev.tulle.model.Cluster> cluster = new Recorder<>();
            Recorder<EndpointSet> endpoints = new Recorder<>();
            List<Subscription> followed = new ArrayList<>();
            Subscription first = client.watch(ResourceType.ROUTE, "a:9080", new Following<>(route, value -> {
                if (value.toString().contains(subset)) {
                    followed.add(client.watch(
                            ResourceType.CLUSTER,
                            subset,
                            new Following<>(
                                    cluster,
                                    found -> followed.add(client.watch(ResourceType.ENDPOINTS, subset, endpoints)))));
                }
            }));
            route.value(value -> true);
            for (int i = 0; i < 20; i++) {
                mesh.route("a", "v1");
                assertTrue(synced(update()));
                assertFalse(endpoints.isQuiet(), "round " + i + ": route, cluster and endpoints were acknowledged");
                until(() -> client.status().types().size() == 3);
                followed.forEach(Subscription::close);
                followed.clear();
                until(() -> client.status().types().stream()
                                .mapToInt(XdsStatus.TypeStatus::watched)
                                .sum()
                        == 1);
                while (!endpoints.isQuiet()) {
                    endpoints.next();
                }
                mesh.route("a", "");
                assertTrue(synced(update()));
            }
            first.close();
        }
    }

    /** Tells a recorder, after it has asked for what follows. */
    private record Following<T>(Recorder<T> recorder, java.util.function.Consumer<T> then)
            implements ResourceWatcher<T> {
        @Override
        public void onChanged(T value) {
            then.accept(value);
            recorder.onChanged(value);
        }

        @Override
        public void onAbsent() {
            recorder.onAbsent();
        }

        @Override
        public void onTrouble(String reason) {
            recorder.onTrouble(reason);
        }
    }

    @Test
    void aResourceThatCannotBeReadIsRefusedByNameAndTheOthersApply() throws Exception {
        mesh.listener("127.0.0.9", 80, "good");
        mesh.listener("127.0.0.10", 80, "bad");
        update();
        try (XdsClient client = connect()) {
            Recorder<dev.tulle.model.Listener> good = new Recorder<>();
            Recorder<dev.tulle.model.Listener> bad = new Recorder<>();
            Subscription one = client.watch(ResourceType.LISTENER, "127.0.0.9_80", good);
            Subscription two = client.watch(ResourceType.LISTENER, "127.0.0.10_80", bad);
            good.value(value -> true);
            bad.value(value -> true);
            // A port that the model does not take: the server encodes it, the client must refuse it.
            mesh.listeners.computeIfPresent(
                    "127.0.0.10_80",
                    (name, old) -> new dev.tulle.model.Listener(name, old.address(), 0, "bad", old.target()));
            mesh.listener("127.0.0.9", 80, "better");
            long number = update();
            assertEquals("better", good.value(value -> true).hostname());
            Recorder.Event<dev.tulle.model.Listener> event = bad.next();
            assertTrue(event.toString().contains("127.0.0.10_80: port 0"), event.toString());
            assertTrue(synced(number));
            XdsClientState.TypeState type =
                    owner.call(server::clients).getFirst().types().getFirst();
            assertEquals(1, type.nacked());
            assertTrue(type.lastRejection().contains("127.0.0.10_80"), type.lastRejection());
            assertEquals(1, owner.call(server::stats).rejects());
            assertEquals(1, client.status().types().getFirst().rejected());
            one.close();
            two.close();
        }
    }

    @Test
    void fiveHundredResourcesUnderChurnConverge() throws Exception {
        int count = 500;
        Random random = new Random(3);
        List<Recorder<EndpointSet>> recorders = new ArrayList<>();
        List<Subscription> subscriptions = new ArrayList<>();
        try (XdsClient client = connect()) {
            for (int i = 0; i < count; i++) {
                Recorder<EndpointSet> recorder = new Recorder<>();
                recorders.add(recorder);
                subscriptions.add(client.watch(ResourceType.ENDPOINTS, "outbound|9080||h" + i, recorder));
            }
            for (int round = 0; round < 100; round++) {
                for (int change = 0; change < 20; change++) {
                    int host = random.nextInt(count);
                    mesh.endpoints("h" + host, "", endpoint(round + 1));
                }
                update();
            }
            for (int i = 0; i < count; i++) {
                mesh.endpoints("h" + i, "", endpoint(1000 + i));
            }
            assertTrue(synced(update()));
            for (int i = 0; i < count; i++) {
                int port = 1000 + i;
                recorders.get(i).value(set -> set.endpoints().getFirst().port() == port);
            }
            subscriptions.forEach(Subscription::close);
        }
    }

    private static Endpoint endpoint(int port) {
        return new Endpoint("100.64.0.1", port, 1, true, "w", "default");
    }

    private XdsClient connect() {
        return XdsClients.connect(new XdsClientOptions(socket(), "n1", "test"));
    }

    private void restart() throws IOException {
        owner.close();
        owner = new OwnerThread("server-test");
        server = XdsServer.start(new XdsServerOptions(socket()), owner, new FakeRegistry());
    }

    private long update() {
        return owner.call(() -> server.update(mesh.state()));
    }

    private boolean synced(long number) throws Exception {
        return owner.call(() -> server.awaitAnswers(number, Duration.ofSeconds(10))).get(20, TimeUnit.SECONDS).stream()
                .allMatch(stand -> stand.stand() == ClientStand.Stand.ANSWERED);
    }

    static void until(BooleanSupplier condition) throws InterruptedException {
        for (int i = 0; i < 2000 && !condition.getAsBoolean(); i++) {
            TimeUnit.MILLISECONDS.sleep(10);
        }
        assertTrue(condition.getAsBoolean());
    }
}
