package dev.tulle.kernel;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.MemorySegment;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Goal: every hook does its work while attached and nothing afterwards. Method: real connections from a test cgroup. */
@Timeout(60)
class AttachTest {
    private TestTree tree;
    private BpfObject object;
    private ServerSocket server;

    @BeforeEach
    void make() throws Exception {
        tree = new TestTree("attach");
        object = BpfObject.open(TestObjects.sample());
        object.load();
        server = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
    }

    @AfterEach
    void remove() throws Exception {
        server.close();
        object.close();
        tree.close();
    }

    /** A connect from inside the test's cgroup: 0 if it was let through. */
    private int connect() throws Exception {
        return tree.run("exec bash -c 'exec 3<>/dev/tcp/127.0.0.1/" + server.getLocalPort() + "'");
    }

    private long counter(int index) {
        return object.map("counters").sumPerCpu()[index];
    }

    @Test
    void aCgroupLinkWorksUntilItIsClosed() throws Exception {
        assertEquals(0, connect());
        assertEquals(0, counter(2));
        try (BpfLink link = object.program("sample_refuse4").attachCgroup(tree.cgroup)) {
            assertNotEquals(0, connect());
            assertEquals(1, counter(2));
            link.update(object.program("sample_connect4"));
            assertEquals(0, connect());
            assertEquals(1, counter(1));
            assertEquals(1, counter(2));
            assertEquals(
                    List.of(object.program("sample_connect4").info().id()),
                    BpfProgram.attachedTo(tree.cgroup, AttachType.CGROUP_INET4_CONNECT, false));
            assertTrue(BpfProgram.attachedTo(tree.cgroup, AttachType.CGROUP_INET4_CONNECT, true)
                    .contains(object.program("sample_connect4").info().id()));
        }
        assertEquals(0, connect());
        assertEquals(1, counter(1));
        assertEquals(List.of(), BpfProgram.attachedTo(tree.cgroup, AttachType.CGROUP_INET4_CONNECT, false));
    }

    @Test
    void settingsReachTheProgramAndEventsComeBack() throws Exception {
        record Seen(long cgroup, long pid, long reason, String comm) {}
        BlockingQueue<Seen> seen = new LinkedBlockingQueue<>();
        AtomicReference<MemorySegment> escaped = new AtomicReference<>();
        RecordLayout layout = object.btf().struct("event").orElseThrow();
        RecordLayout.Field cgroup = layout.u64("cgroup");
        RecordLayout.Field pid = layout.u32("pid");
        RecordLayout.Field reason = layout.u32("reason");
        RecordLayout.Field comm = layout.bytes("comm", 16);
        TypedMap<Integer, Long> settings = object.map("settings").typed(MapCodec.u32(), MapCodec.u64());
        try (BpfLink link = object.program("sample_connect4").attachCgroup(tree.cgroup);
                RingBuffer events = RingBuffer.start(object.map("events"), "test-events", record -> {
                    escaped.set(record);
                    seen.add(new Seen(cgroup.get(record), pid.get(record), reason.get(record), comm.getText(record)));
                    throw new IllegalStateException("a handler's mistake");
                })) {
            assertNotNull(link);
            assertEquals(0, connect());
            Seen first = seen.poll(10, TimeUnit.SECONDS);
            assertNotNull(first);
            assertEquals(tree.cgroups.id(tree.cgroup), first.cgroup, "inode number is the cgroup id that BPF sees");
            assertEquals(0, first.reason);
            assertEquals("bash", first.comm);
            settings.put(0, (long) server.getLocalPort());
            assertNotEquals(0, connect());
            Seen second = seen.poll(10, TimeUnit.SECONDS);
            assertNotNull(second);
            assertEquals(7, second.reason);
            assertTrue(events.records() >= 2);
            assertTrue(events.failures() >= 1, "handler failures are counted, not fatal");
            assertNotNull(events.lastFailure());
            MemorySegment late = escaped.get();
            assertThrows(RuntimeException.class, () -> cgroup.get(late), "a record must not outlive its call");
            events.close();
        }
    }

    @Test
    void aRingBufferCanBeClosedByItsHandler() throws Exception {
        AtomicReference<RingBuffer> self = new AtomicReference<>();
        try (BpfLink link = object.program("sample_connect4").attachCgroup(tree.cgroup)) {
            assertNotNull(link);
            RingBuffer events = RingBuffer.start(
                    object.map("events"), "test-closing", _ -> self.get().close());
            self.set(events);
            assertEquals(0, connect());
            events.close();
            assertEquals(0, connect());
            assertTrue(events.records() <= 1);
        }
        assertThrows(BpfException.class, () -> RingBuffer.start(object.map("settings"), "test-wrong", _ -> {}));
    }

    @Test
    void verdictsOfASockhash() throws Exception {
        BpfMap sockets = object.map("sockets");
        BpfProgram message = object.program("sample_skmsg");
        BpfProgram skb = object.program("sample_skb");
        message.attachSockets(sockets);
        skb.attachSockets(sockets);
        assertEquals(List.of(message.info().id()), BpfProgram.attachedTo(sockets, AttachType.SK_MSG_VERDICT));
        Process client = new ProcessBuilder(
                        "bash",
                        "-c",
                        "read go; exec 3<>/dev/tcp/127.0.0.1/" + server.getLocalPort() + "; echo hello >&3; read stop")
                .start();
        try (BpfLink link = object.program("sample_sockops").attachCgroup(tree.cgroup)) {
            assertNotNull(link);
            tree.cgroups.move(client.pid(), tree.cgroup);
            client.outputWriter().append("go\n").flush();
            try (var accepted = server.accept()) {
                assertEquals('h', accepted.getInputStream().read());
                assertEquals(1, counter(4));
                assertEquals(1, counter(5));
                TypedMap<Long, Long> typed = sockets.typed(MapCodec.u64(), MapCodec.u64());
                List<Long> cookies = typed.keys();
                assertEquals(1, cookies.size());
                assertTrue(typed.delete(cookies.getFirst()));
                assertFalse(typed.delete(cookies.getFirst()));
                // The client must not wait in recv here: deleting its socket wakes it with a spurious EAGAIN.
                client.outputWriter().append("stop\n").flush();
                assertEquals(0, client.waitFor());
            }
        }
        assertTrue(message.detachSockets(sockets));
        assertFalse(message.detachSockets(sockets));
        assertTrue(skb.detachSockets(sockets));
        assertEquals(List.of(), BpfProgram.attachedTo(sockets, AttachType.SK_MSG_VERDICT));
    }

    @Test
    void socketLookupAttachesToANetworkNamespace() {
        Path namespace = Path.of("/proc/self/ns/net");
        int id = object.program("sample_lookup").info().id();
        try (BpfLink link = object.program("sample_lookup").attachNetns(namespace)) {
            assertEquals(id, link.info().programId());
            assertEquals(AttachType.SK_LOOKUP.number(), link.info().attachType());
            assertTrue(link.info().target() > 0);
        }
    }

    @Test
    void socketOptionsOfACgroup() throws Exception {
        try (BpfLink link = object.program("sample_sockopt").attachCgroup(tree.cgroup)) {
            assertEquals(AttachType.CGROUP_GETSOCKOPT.number(), link.info().attachType());
            assertEquals(
                    0,
                    tree.run("exec python3 -c 'import socket;"
                            + " socket.socket().getsockopt(socket.SOL_SOCKET, socket.SO_TYPE)'"));
            assertTrue(counter(3) >= 1);
        }
    }

    @Test
    void aWrongTargetSaysWhat() {
        BpfException missing = assertThrows(BpfException.class, () -> object.program("sample_connect4")
                .attachCgroup(tree.cgroup.resolve("missing")));
        assertEquals(Errno.ENOENT, missing.errno());
        BpfException wrong = assertThrows(
                BpfException.class, () -> object.program("sample_skmsg").attachCgroup(tree.cgroup));
        assertTrue(String.valueOf(wrong.getMessage()).contains("sample_skmsg"), wrong.toString());
    }
}
