package dev.tulle.agent;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.agent.ports.HeldPorts;
import dev.tulle.agent.ports.MeshPort;
import dev.tulle.model.Listener;
import dev.tulle.model.ResourceRef;
import dev.tulle.xds.ResourceType;
import dev.tulle.xds.ResourceWatcher;
import dev.tulle.xds.Subscription;
import dev.tulle.xds.XdsClient;
import dev.tulle.xds.XdsStatus;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Which ports the agent holds for the edge, and what it says of those that it cannot have. */
class GatewayPortsTest {
    private static final int OWN = 15001;

    @TempDir
    Path dir;

    private final Told told = new Told();
    private final List<String> changes = new ArrayList<>();
    private HeldPorts held;
    private GatewayPorts ports;

    /** A control plane that says what the test says. */
    private static final class Told implements XdsClient {
        private @Nullable ResourceWatcher<Object> watcher;

        ResourceWatcher<Object> watcher() {
            return Objects.requireNonNull(watcher);
        }

        @Override
        @SuppressWarnings("unchecked")
        public <T> Subscription watch(ResourceType<T> type, String name, ResourceWatcher<T> by) {
            assertEquals(ResourceType.LISTENER, type);
            assertEquals("gateway", name);
            watcher = (ResourceWatcher<Object>) by;
            return () -> {};
        }

        void ports(int... numbers) {
            List<Listener.Target.Chain> chains = new ArrayList<>();
            for (int number : numbers) {
                chains.add(new Listener.Target.Chain(
                        number, new Listener.Target.Http("http." + number, false, List.of()), ResourceRef.DEFAULT));
            }
            watcher()
                    .onChanged(
                            new Listener(Listener.EDGE, "0.0.0.0", numbers[0], "", new Listener.Target.Edge(chains)));
        }

        @Override
        public XdsStatus status() {
            throw new UnsupportedOperationException();
        }

        @Override
        public void close() {}
    }

    @BeforeEach
    void begin() {
        held = HeldPorts.adopt(0, dir.resolve("gateway"));
        ports = new GatewayPorts(
                told, Runnable::run, held, Set.of(OWN), false, GatewayPorts.Hold::run, () -> changes.add("changed"));
    }

    @AfterEach
    void end() {
        ports.close();
        held.close();
    }

    private static int free() throws IOException {
        try (ServerSocket socket = new ServerSocket(0)) {
            return socket.getLocalPort();
        }
    }

    private List<Integer> open() {
        return held.listeners().stream()
                .map(listener -> listener.address().getPort())
                .sorted()
                .toList();
    }

    @Test
    void portsAreHeldAsLongAsTheyAreWanted() throws IOException {
        int one = free();
        told.ports(one);
        assertEquals(List.of(one), open());
        assertEquals(List.of(MeshPort.published(one)), ports.meshPorts());
        assertEquals("", ports.takeRefusal());
        int two = free();
        told.ports(two);
        assertEquals(List.of(two), open());
        told.watcher().onAbsent();
        assertEquals(List.of(), open());
        assertEquals(List.of(), ports.meshPorts());
        assertEquals(3, changes.size());
    }

    @Test
    void aPortOfSomebodyElseIsNamedOnceForEachAnswerAndTriedAgain() throws IOException {
        int good = free();
        try (ServerSocket other = new ServerSocket(0, 5, InetAddress.getByName("0.0.0.0"))) {
            int port = other.getLocalPort();
            told.ports(port, good);
            String refusal = ports.takeRefusal();
            assertTrue(
                    refusal.contains("port " + port + " is in use by process "
                            + ProcessHandle.current().pid()),
                    refusal);
            assertEquals(refusal, ports.trouble());
            assertEquals("", ports.takeRefusal(), "what else is answered has nothing to do with it");
            assertEquals(List.of(good), open(), "the other port is served");
            assertEquals(
                    List.of(MeshPort.published(good)), ports.meshPorts(), "whoever has the refused one may begin anew");
            ports.again();
            assertEquals(refusal, ports.takeRefusal());
            assertEquals(1, changes.size());
        }
        ports.again();
        assertEquals("", ports.takeRefusal());
        assertEquals("", ports.trouble());
        assertEquals(2, open().size());
        assertEquals(2, changes.size(), "so that it is kept from now on");
        assertEquals(open().stream().map(MeshPort::published).toList(), ports.meshPorts());
    }

    @Test
    void thePortsOfTheMeshItselfAreNotTaken() {
        told.ports(OWN);
        assertEquals("port 15001 is used by the mesh itself", ports.takeRefusal());
        assertEquals(List.of(), open());
        assertEquals(List.of(), ports.meshPorts(), "nor kept in another way than the mesh keeps them");
    }
}
