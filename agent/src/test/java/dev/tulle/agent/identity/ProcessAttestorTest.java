package dev.tulle.agent.identity;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.agent.host.Cgroups;
import dev.tulle.agent.host.Shell;
import dev.tulle.agent.identity.WorkloadGroups.Member;
import dev.tulle.common.LocalRefusals;
import dev.tulle.common.pki.SpiffeId;
import dev.tulle.xds.WorkloadApiServer;
import dev.tulle.xds.WorkloadSecrets;
import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Who gets what at the Workload API's socket: processes in real control groups, by what the kernel says of them. */
class ProcessAttestorTest {
    private static final String NOBODY = "PERMISSION_DENIED: the calling process is in no workload of this mesh";
    private static final String ENDED = "PERMISSION_DENIED: the calling process has ended";

    /** Connects when it is told to, and passes on; {@code leave}: by another process than the one that connected. */
    private static final String RELAY = """
            import os, select, socket, sys, threading
            target, place, leave = sys.argv[1], sys.argv[2], sys.argv[3] == 'leave'
            listener = socket.socket(socket.AF_UNIX); listener.bind(place); listener.listen(8)
            print('ready', flush=True)
            sys.stdin.readline()
            near, _ = listener.accept()
            far = socket.socket(socket.AF_UNIX)
            far.connect(target)
            if leave:
                own = os.pidfd_open(os.getpid())
                if os.fork(): os._exit(0)
                # What is sent from here on is sent when the connection's own process has gone.
                select.select([own], [], [])
            def pump(a, b):
                try:
                    while data := a.recv(65536): b.sendall(data)
                except OSError: pass
            threading.Thread(target=pump, args=(far, near), daemon=True).start()
            pump(near, far)
            """;

    private final Cgroups cgroups = find();
    private final String top = "/tulle-attest-" + ProcessHandle.current().pid();
    private volatile WorkloadGroups groups = WorkloadGroups.NONE;

    @TempDir
    private Path directory = Path.of("");

    private WorkloadApiServer server;

    // The lifecycle method below sets it before any test runs.
    @SuppressWarnings("NullAway.Init")
    ProcessAttestorTest() {}

    private static Cgroups find() {
        try {
            return Cgroups.find();
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }

    @BeforeEach
    void start() throws Exception {
        cgroups.create(top + "/a/below/deeper");
        cgroups.create(top + "/ab");
        groups = new WorkloadGroups(List.of(member("a", cgroups.id(top + "/a"))));
        server = WorkloadApiServer.start(
                socket(), new ProcessAttestor(cgroups, () -> groups), new LocalRefusals(), new Random(1), "td");
        server.update(new WorkloadSecrets(Map.of(), Map.of(), List.of(root()), "td"));
    }

    @AfterEach
    void stop() throws IOException {
        server.close();
        cgroups.remove(top, "/");
    }

    private Member member(String name, long groupId) {
        return new Member("default/" + name, SpiffeId.workload("td", "default", name), top + "/" + name, groupId);
    }

    private Path socket() {
        return directory.resolve("workload.sock");
    }

    private X509Certificate root() throws Exception {
        Shell.Outcome made = Shell.run(
                "openssl",
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
                "-nodes",
                "-subj",
                "/CN=root",
                "-keyout",
                directory.resolve("root.key").toString());
        String pem = made.output().substring(made.output().indexOf("-----BEGIN"));
        return (X509Certificate) CertificateFactory.getInstance("X.509")
                .generateCertificate(new ByteArrayInputStream(pem.getBytes(StandardCharsets.US_ASCII)));
    }

    /** A process that connects for the test. */
    private final class Relay implements AutoCloseable {
        private final Process process;
        private final Path place;

        Relay(String name, String group, boolean leaves) throws IOException {
            place = directory.resolve(name);
            process = new ProcessBuilder(
                            "python3", "-c", RELAY, socket().toString(), place.toString(), leaves ? "leave" : "stay")
                    .redirectError(ProcessBuilder.Redirect.INHERIT)
                    .start();
            BufferedReader out = process.inputReader(StandardCharsets.UTF_8);
            assertEquals("ready", out.readLine());
            cgroups.move(process.pid(), group);
        }

        /** Connects now. */
        Wire connect() throws IOException {
            process.outputWriter().append("go\n").flush();
            return new Wire(place);
        }

        void moveTo(String group) throws IOException {
            cgroups.move(process.pid(), group);
        }

        @Override
        public void close() throws InterruptedException {
            process.descendants().forEach(ProcessHandle::destroyForcibly);
            process.destroyForcibly();
            process.waitFor();
        }
    }

    @Test
    void aProcessIsOfTheWorkloadInWhoseGroupOrBelowItIs() throws Exception {
        int number = 0;
        for (String group : List.of("/a", "/a/below", "/a/below/deeper")) {
            try (Relay relay = new Relay("in" + number++, top + group, false);
                    Wire wire = relay.connect()) {
                assertTrue(wire.call("FetchX509Bundles").message().length > 0, group);
            }
        }
        // A name that begins alike, the group above, and one that is nobody's.
        for (String group : List.of("/ab", "", "/../")) {
            try (Relay relay = new Relay("out" + number++, group.equals("/../") ? "/" : top + group, false);
                    Wire wire = relay.connect()) {
                assertEquals(NOBODY, wire.call("FetchX509Bundles").end(), group);
            }
        }
    }

    @Test
    void anotherGroupUnderTheSamePathIsAnotherWorkloads() throws Exception {
        groups = new WorkloadGroups(List.of(member("a", cgroups.id(top + "/ab"))));
        try (Relay relay = new Relay("in", top + "/a", false);
                Wire wire = relay.connect()) {
            assertEquals(NOBODY, wire.call("FetchX509Bundles").end());
        }
    }

    @Test
    void whoIsMovedIsWhatItIsNow() throws Exception {
        try (Relay relay = new Relay("in", top + "/ab", false);
                Wire wire = relay.connect()) {
            assertEquals(NOBODY, wire.call("FetchX509Bundles").end());
            relay.moveTo(top + "/a/below");
            Wire.Answers listening = wire.call("FetchX509Bundles");
            assertTrue(listening.message().length > 0);
            relay.moveTo(top + "/ab");
            server.lookAgain();
            assertEquals(NOBODY, listening.end());
        }
    }

    @Test
    void aWorkloadThatHasLeftIsNobody() throws Exception {
        try (Relay relay = new Relay("in", top + "/a", false);
                Wire wire = relay.connect()) {
            Wire.Answers listening = wire.call("FetchX509Bundles");
            assertTrue(listening.message().length > 0);
            groups = WorkloadGroups.NONE;
            server.lookAgain();
            assertEquals(NOBODY, listening.end());
        }
    }

    @Test
    void aSocketThatItsProcessHasLeftToAnotherIsNobodys() throws Exception {
        try (Relay relay = new Relay("in", top + "/a", true);
                Wire wire = relay.connect()) {
            assertEquals(ENDED, wire.call("FetchX509Bundles").end());
        }
    }
}
