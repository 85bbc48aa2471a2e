package dev.tulle.agent.datapath;

import dev.tulle.agent.datapath.Structs.ServiceKey;
import dev.tulle.agent.datapath.WantedState.Serving;
import dev.tulle.agent.host.Cgroups;
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

/**
 * Does on loopback what kernel HTTP is for, with an own load of the programs attached to a control group of its own, and
 * leaves nothing behind: this process plays client, proxy and server. A server connection is offered, a client connection
 * given; a request skips the proxy, and so does its answer; what is not a whole request reaches the proxy whole; a server
 * that closes with a request unanswered is told to the proxy, with a copy of that request. Blocks some tens of
 * milliseconds.
 */
public final class HttpSelfTest {
    private static final InetAddress SERVICE = MeshNetwork.address("198.18.77.2");
    private static final int WAIT_MILLIS = 1_000;
    private static final long COOKIE = 7;
    private static final int POOLED = 1;
    private static final int SENT = 3;
    private static final String REQUEST = "GET /a HTTP/1.1\r\nHost: service\r\n\r\n";
    private static final String ANSWER = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

    private final TrialMesh mesh;
    private final SelfTestLog log = new SelfTestLog();
    private long passed;

    private HttpSelfTest(TrialMesh mesh) {
        this.mesh = mesh;
    }

    /**
     * Tries kernel HTTP.
     *
     * @param elf the compiled kernel object
     * @param agentGroup the control group that this process is in
     * @return empty when everything was as it should be, else the first thing that was not
     */
    public static Optional<String> failure(Path elf, Cgroups cgroups, String agentGroup) {
        try {
            return TrialMesh.run(elf, cgroups, agentGroup, true, true, mesh -> new HttpSelfTest(mesh).run());
        } catch (SocketTimeoutException e) {
            return Optional.of("self-test of kernel HTTP: bytes that should have come did not");
        } catch (IOException | BpfException | LayoutException e) {
            return Optional.of("self-test of kernel HTTP: " + e.getMessage());
        }
    }

    private Optional<String> run() throws IOException {
        try (log) {
            checkHooks();
            if (!log.failed()) {
                tryConnections();
            }
            return log.failure();
        }
    }

    private void checkHooks() {
        KernelObject kernel = mesh.kernel();
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

    private void tryConnections() throws IOException {
        int port = TrialMesh.freePort();
        try (ServerSocketChannel outbound = mesh.outbound();
                ServerSocketChannel listener = listener(outbound, port);
                SocketChannel c = mesh.connect(new InetSocketAddress(SERVICE, port));
                SocketChannel d = outbound.accept();
                SocketChannel u = mesh.connectFromProxy(new InetSocketAddress(TrialMesh.SERVER, port));
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

    private ServerSocketChannel listener(ServerSocketChannel outbound, int port) throws IOException {
        ServiceKey key = new ServiceKey(SERVICE, port, Structs.TCP);
        mesh.configure(
                outbound,
                Map.of(key, new Serving(Structs.MODE_HTTP, Reason.NONE, List.of(), false)),
                Map.of(key, new HttpMaps.Serving(table(port), Map.of())),
                true);
        return mesh.serve(port);
    }

    private static HttpTable table(int port) {
        HttpTable.Member member = new HttpTable.Member(TrialMesh.SERVER.getHostAddress(), port);
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
        long before = mesh.maps().counters()[Reason.HTTP_REQUEST.number()];
        for (int i = 0; i < 3 && !log.failed(); i++) {
            write(c, REQUEST);
            expect("a request reaches the server", s, REQUEST);
            write(s, ANSWER);
            expect("its answer reaches the client", c, ANSWER);
        }
        long taken = mesh.maps().counters()[Reason.HTTP_REQUEST.number()] - before;
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
