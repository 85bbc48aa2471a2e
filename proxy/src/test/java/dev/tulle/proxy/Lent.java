package dev.tulle.proxy;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.proxy.lease.LeaseState;
import java.io.IOException;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;

/** A mesh with a model of the kernel and two requests done: its client is given, and a connection to its server is lent. */
final class Lent implements AutoCloseable {
    /** Sent by the kernel, in tests. */
    static final String GET = "GET /k HTTP/1.1\r\nHost: web\r\n\r\n";

    /** Answered by the server without the test's script. */
    static final String FIRST = "GET /first HTTP/1.1\r\nHost: web\r\n\r\n";

    /** A script for servers that get no other request. */
    static final Origin.Script NEVER = (request, out, socket) -> {
        throw new AssertionError("unexpected: " + request.line());
    };

    final KernelModel kernel;
    final Origin origin;
    final ProxyFixture mesh;
    final RawClient client;
    final KernelModel.Client given;
    final KernelModel.Lease lease;

    /** Requests that the proxy has served. */
    int served;

    /** Connections that the server had when the test began. */
    final int connections;

    /** The server's end of the lent connection. */
    final Socket server;

    /** As {@link Origin.Script}: answers what comes after the first requests. */
    Lent(Origin.Script script) throws Exception {
        this(script, Meshes.mesh());
    }

    /** With further things in the mesh. */
    Lent(Origin.Script script, Meshes meshes) throws Exception {
        this(script, meshes, new KernelModel());
    }

    /** With a kernel that was told something before. */
    Lent(Origin.Script script, Meshes meshes, KernelModel kernel) throws Exception {
        this.kernel = kernel;
        BlockingQueue<Socket> sockets = new LinkedBlockingQueue<>();
        origin = Origin.start((request, out, socket) -> {
            if (request.line().startsWith("GET /first")) {
                sockets.add(socket);
                out.write(bytes("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfirst"));
                return true;
            }
            return script.answer(request, out, socket);
        });
        mesh = new ProxyFixture(meshes.subset("", origin.port()).build(), kernel);
        client = new RawClient(mesh.port);
        // Until both are there; while one connection is lent, the proxy makes another one for itself.
        for (int i = 0; i < 2 || (i < 50 && !kernel.isGiven()); i++) {
            stillServes();
            Thread.sleep(10);
        }
        given = kernel.given();
        lease = kernel.lease(LeaseState.POOLED);
        server = sockets.take();
        connections = origin.connections.get();
    }

    static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.ISO_8859_1);
    }

    /** The proxy serves another request, on whatever connection. */
    void stillServes() throws IOException {
        send(FIRST);
        assertEquals("first", client.read(false).body());
        served++;
    }

    /** The client sends what the kernel does not take. */
    void send(String bytes) throws IOException {
        kernel.passes(client.socket, bytes.length());
        client.send(bytes);
    }

    /** The server answers on the lent connection. */
    void serverSays(String text) throws IOException {
        server.getOutputStream().write(bytes(text));
    }

    void awaitClosed() throws InterruptedException {
        assertTrue(lease.channel.closeFuture().await(5_000));
    }

    @Override
    public void close() throws Exception {
        client.close();
        mesh.close();
        origin.close();
    }
}
