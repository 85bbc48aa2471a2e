package dev.tulle.agent.datapath;

import dev.tulle.agent.datapath.Structs.ServiceKey;
import dev.tulle.agent.datapath.Structs.WorkloadValue;
import dev.tulle.agent.datapath.WantedState.Serving;
import dev.tulle.agent.host.Cgroups;
import dev.tulle.agent.host.Cidr;
import dev.tulle.agent.http.HttpLimits;
import dev.tulle.agent.http.HttpTable;
import dev.tulle.agent.http.HttpWhen;
import dev.tulle.common.Reason;
import dev.tulle.kernel.BpfException;
import dev.tulle.kernel.LayoutException;
import dev.tulle.kernel.TcpDescriptor;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketTimeoutException;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Does on loopback what kernel HTTP is for, with an own load of the programs attached to a control group of its own, and
 * leaves nothing behind: this process plays client, proxy and server. A server connection is offered, a client connection
 * given; a request skips the proxy, and so does its answer; what is not a whole request reaches the proxy whole; a server
 * that closes with a request unanswered is told to the proxy, with a copy of that request. Blocks some tens of
 * milliseconds.
 */
public final class HttpSelfTest {
    private static final Cidr RANGE = Cidr.of("self-test", "127.78.0.0/16");
    private static final Cidr PREFIX = Cidr.of("self-test", "127.78.0.0/24");
    private static final Cidr SERVICES = Cidr.of("self-test", "198.18.78.0/24");
    private static final InetAddress CLIENT = MeshNetwork.address("127.78.0.10");
    private static final InetAddress SERVER = MeshNetwork.address("127.78.0.11");
    private static final InetAddress SERVICE = MeshNetwork.address("198.18.78.2");
    private static final int WAIT_MILLIS = 1_000;
    private static final long COOKIE = 7;
    private static final int POOLED = 1;
    private static final int SENT = 3;
    private static final String REQUEST = "GET /a HTTP/1.1\r\nHost: service\r\n\r\n";
    private static final String ANSWER = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

    private final KernelObject kernel;
    private final KernelMaps maps;
    private final SelfTestLog log = new SelfTestLog();
    private long passed;

    private HttpSelfTest(KernelObject kernel) {
        this.kernel = kernel;
        this.maps = new KernelMaps(kernel.object());
    }

    /**
     * Tries kernel HTTP.
     *
     * @param elf the compiled kernel object
     * @param agentGroup the control group that this process is in
     * @return empty when everything was as it should be, else the first thing that was not
     */
    public static Optional<String> failure(Path elf, Cgroups cgroups, String agentGroup) {
        String group = agentGroup + "/selftest-http";
        try (KernelObject kernel = KernelObject.load(elf, Optional.empty(), true)) {
            GroupThread.makeThreaded(cgroups.directory(group));
            try (GroupThread client = GroupThread.in(cgroups.directory(group + "/client"));
                    GroupThread server = GroupThread.in(cgroups.directory(group + "/server"));
                    GroupThread proxy = GroupThread.in(cgroups.directory(group + "/proxy"))) {
                kernel.attach(cgroups.directory(group), cgroups.directory(group + "/proxy"), true, false, true);
                HttpSelfTest test = new HttpSelfTest(kernel);
                try (SelfTestLog log = test.log) {
                    test.checkHooks();
                    if (!log.failed()) {
                        test.run(cgroups, group, client, server, proxy);
                    }
                    return log.failure();
                }
            } finally {
                cgroups.remove(group, agentGroup);
            }
        } catch (SocketTimeoutException e) {
            return Optional.of("self-test of kernel HTTP: bytes that should have come did not");
        } catch (IOException | BpfException | LayoutException e) {
            return Optional.of("self-test of kernel HTTP: " + e.getMessage());
        }
    }

    private void checkHooks() {
        for (Hook hook : Hook.ofHttp()) {
            log.expect(
                    "hook " + hook.word() + " is in force",
                    kernel.active(hook),
                    kernel.hooks().stream()
                            .filter(status -> status.hook().equals(hook.word()))
                            .map(status -> status.detail())
                            .findFirst()
                            .orElse("it is not"));
        }
    }

    private void run(Cgroups cgroups, String group, GroupThread client, GroupThread server, GroupThread proxy)
            throws IOException {
        int port = KernelSelfTest.freePort(SERVER);
        try (ServerSocketChannel outbound = proxy.call(
                        () -> KernelSelfTest.listen(new InetSocketAddress(MeshNetwork.address("127.0.0.1"), 0)));
                ServerSocketChannel listener = listener(cgroups, group, server, outbound, port);
                SocketChannel c = client.call(() -> SocketChannel.open(new InetSocketAddress(SERVICE, port)));
                SocketChannel d = outbound.accept();
                SocketChannel u = proxy.call(() -> SocketChannel.open(new InetSocketAddress(SERVER, port)));
                SocketChannel s = listener.accept();
                TcpDescriptor accepted = TcpDescriptor.of(d);
                TcpDescriptor upstream = TcpDescriptor.of(u)) {
            for (SocketChannel one : List.of(c, d, u, s)) {
                one.socket().setSoTimeout(WAIT_MILLIS);
            }
            offerAndGive(upstream, accepted);
            if (!log.failed()) {
                exchange(c, s);
            }
            if (!log.failed()) {
                handOver(c, d, accepted);
            }
            if (!log.failed()) {
                endOfServer(c, s, u, upstream, accepted);
            }
        }
    }

    private ServerSocketChannel listener(
            Cgroups cgroups, String group, GroupThread server, ServerSocketChannel outbound, int port)
            throws IOException {
        int outboundPort = ((InetSocketAddress) outbound.getLocalAddress()).getPort();
        MeshNetwork network = new MeshNetwork(RANGE, SERVICES, PREFIX, "", "", outboundPort, 0);
        InetAddress none = MeshNetwork.none();
        ServiceKey key = new ServiceKey(SERVICE, port, Structs.TCP);
        maps.reconcile(new WantedState(
                Map.of(
                        cgroups.id(group + "/client"), new WorkloadValue(1, Structs.ROLE_WORKLOAD, CLIENT, none),
                        cgroups.id(group + "/server"), new WorkloadValue(2, Structs.ROLE_WORKLOAD, SERVER, none),
                        cgroups.id(group + "/proxy"), new WorkloadValue(0, Structs.ROLE_PROXY, none, none)),
                Map.of(CLIENT, 1, SERVER, 2),
                Map.of(key, new Serving(Structs.MODE_HTTP, Reason.NONE, List.of(), false)),
                Map.of(),
                Map.of(key, new HttpMaps.Serving(table(port), Map.of())),
                Map.of(),
                Set.of()));
        int flags = Structs.FLAG_CAPTURE | Structs.FLAG_BIND | Structs.FLAG_KERNEL_L4 | Structs.FLAG_SPLICE;
        maps.configure(KernelDatapath.config(network, flags, 0));
        return server.call(() -> KernelSelfTest.listen(new InetSocketAddress(port)));
    }

    private static HttpTable table(int port) {
        HttpTable.Member member = new HttpTable.Member(SERVER.getHostAddress(), port);
        return new HttpTable(
                List.of(new HttpTable.Route(
                        "all", HttpWhen.ANY, List.of(new HttpTable.Share(1, 0)), 0, 0, Reason.NONE, "")),
                List.of(),
                false,
                Map.of(),
                List.of(new HttpTable.ClusterPart("self-test", List.of(member), false)),
                HttpLimits.BODY_MAX);
    }

    private void give(TcpDescriptor accepted) throws IOException {
        ProxyOption.GIVE.set(accepted, "consumed", passed);
        log.expect(
                "a given connection is the kernel's",
                ProxyOption.CLIENT.read(accepted).get("owned") == 1,
                "it is not");
    }

    private void offerAndGive(TcpDescriptor upstream, TcpDescriptor accepted) throws IOException {
        ProxyOption.OFFER.set(upstream, "cookie", COOKIE);
        ProxyOption.Answer lease = ProxyOption.LEASE.read(upstream);
        log.expect(
                "an offered connection is in its pool",
                lease.get("state") == POOLED && lease.get("cookie") == COOKIE,
                "its state is " + lease.get("state"));
        if (!log.failed()) {
            give(accepted);
        }
    }

    private void exchange(SocketChannel c, SocketChannel s) throws IOException {
        long before = maps.counters()[Reason.HTTP_REQUEST.number()];
        for (int i = 0; i < 3 && !log.failed(); i++) {
            write(c, REQUEST);
            expect("a request reaches the server", s, REQUEST);
            write(s, ANSWER);
            expect("its answer reaches the client", c, ANSWER);
        }
        long taken = maps.counters()[Reason.HTTP_REQUEST.number()] - before;
        log.expect("requests skip the proxy", taken == 3, "the kernel counted " + taken + " of 3");
    }

    private void handOver(SocketChannel c, SocketChannel d, TcpDescriptor accepted) throws IOException {
        String half = REQUEST.substring(0, REQUEST.length() - 4);
        write(c, half);
        expect("what is not a whole request reaches the proxy", d, half);
        log.expect(
                "and the connection is the proxy's again",
                ProxyOption.CLIENT.read(accepted).get("owned") == 0,
                "it is not");
        write(c, "\r\n\r\n");
        expect("with all that follows", d, "\r\n\r\n");
        passed = REQUEST.length();
        write(d, ANSWER);
        expect("the proxy's answer reaches the client", c, ANSWER);
        give(accepted);
    }

    private void endOfServer(
            SocketChannel c, SocketChannel s, SocketChannel u, TcpDescriptor upstream, TcpDescriptor accepted)
            throws IOException {
        write(c, REQUEST);
        expect("a given connection's next request reaches the server", s, REQUEST);
        s.close();
        log.expect("the proxy sees a server's end", u.socket().getInputStream().read() < 0, "it reads bytes instead");
        ProxyOption.TAKE.set(upstream, "states", ~0);
        long state = ProxyOption.LEASE.read(upstream).get("taken");
        log.expect("and what was going on", state == SENT, "it is told state " + state);
        ProxyOption.Answer info = ProxyOption.CLIENT.read(accepted);
        String copy = info.text("head", Math.clamp(info.get("head_length"), 0, 1024));
        log.expect("with a copy of the request", copy.equals(REQUEST), "it has " + copy.length() + " bytes");
    }

    private static void write(SocketChannel channel, String text) throws IOException {
        ByteBuffer bytes = ByteBuffer.wrap(text.getBytes(StandardCharsets.US_ASCII));
        while (bytes.hasRemaining()) {
            channel.write(bytes);
        }
    }

    private void expect(String what, SocketChannel channel, String text) throws IOException {
        if (log.failed()) {
            return;
        }
        try {
            byte[] got = channel.socket().getInputStream().readNBytes(text.length());
            String read = new String(got, StandardCharsets.US_ASCII);
            log.expect(what, read.equals(text), "there came '" + read.strip() + "'");
        } catch (SocketTimeoutException e) {
            log.expect(what, false, "nothing came within " + WAIT_MILLIS + " ms");
        }
    }
}
