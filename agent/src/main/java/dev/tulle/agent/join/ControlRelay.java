package dev.tulle.agent.join;

import dev.tulle.common.LocalRefusals;
import dev.tulle.common.SocketAccess;
import dev.tulle.common.SocketFile;
import dev.tulle.common.pki.MeshTrust;
import dev.tulle.common.pki.SpiffeId;
import dev.tulle.common.pki.TlsIdentity;
import dev.tulle.model.Caller;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.Channels;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.UserPrincipal;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.cert.X509Certificate;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.locks.LockSupport;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManager;
import jdk.net.ExtendedSocketOptions;

/**
 * The control plane's socket on a node that has joined: each connection of one who may use it is passed on, byte by byte,
 * to the control plane, under the certificate of the node's proxies, who read and register nothing. Virtual threads, two
 * for each connection.
 */
public final class ControlRelay implements AutoCloseable {
    private static final System.Logger LOG = System.getLogger(ControlRelay.class.getName());

    /** Connections at once: proxy and gateway, twice while one takes over, and somebody who looks. */
    private static final int MAX = 16;

    private static final int CONNECT_MILLIS = 5_000;
    private static final int BUFFER = 16 << 10;
    private static final long PAUSE = 50_000_000;

    /** What the relay needs to know for each connection. */
    public interface Way {
        /** The control plane's address, resolved anew. */
        InetSocketAddress control();

        /**
         * The certificate of the node's proxies.
         *
         * @throws IOException when there is none for now
         */
        TlsIdentity identity() throws IOException;

        /** The roots of the mesh. */
        List<X509Certificate> roots();
    }

    private final Path path;
    private final SocketAccess access;
    private final LocalRefusals refusals;
    private final Way way;
    private final ServerSocketChannel server;
    private final Set<SocketChannel> open = ConcurrentHashMap.newKeySet();

    private ControlRelay(Path path, SocketAccess access, LocalRefusals refusals, Way way, ServerSocketChannel server) {
        this.path = path;
        this.access = access;
        this.refusals = refusals;
        this.way = way;
        this.server = server;
    }

    /**
     * Serves the socket.
     *
     * @throws IOException when it cannot be made, or another live process serves it
     */
    public static ControlRelay start(Path path, SocketAccess access, LocalRefusals refusals, Way way)
            throws IOException {
        Path bound = SocketFile.prepare(path);
        ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
        try {
            server.bind(UnixDomainSocketAddress.of(bound), MAX);
            SocketFile.publish(bound, path, access);
        } catch (IOException | RuntimeException e) {
            server.close();
            throw e;
        }
        ControlRelay relay = new ControlRelay(path, access, refusals, way, server);
        Thread.ofVirtual().name("control-relay").start(relay::accept);
        return relay;
    }

    private void accept() {
        while (server.isOpen()) {
            try {
                take(server.accept());
            } catch (ClosedChannelException e) {
                return;
            } catch (IOException e) {
                LOG.log(System.Logger.Level.DEBUG, "relay", e);
                LockSupport.parkNanos(PAUSE);
            }
        }
    }

    private void take(SocketChannel channel) throws IOException {
        UserPrincipal user =
                channel.getOption(ExtendedSocketOptions.SO_PEERCRED).user();
        boolean admitted = access.admits(user);
        if (!admitted || open.size() >= MAX) {
            refusals.note(
                    String.valueOf(path.getFileName()),
                    "user " + user.getName(),
                    admitted ? "expected at most " + MAX + " connections" : "expected " + access.expected());
            channel.close();
            return;
        }
        open.add(channel);
        Thread.ofVirtual().name("control-relay-connection").start(() -> relay(channel));
    }

    private void relay(SocketChannel channel) {
        try (channel;
                SSLSocket control = connect()) {
            Thread up = Thread.ofVirtual().name("control-relay-up").start(() -> {
                copy(Channels.newInputStream(channel), output(control));
                // Its end ends the other way as well: a client that has gone wants no answers.
                close(control);
            });
            copy(control.getInputStream(), Channels.newOutputStream(channel));
            close(channel);
            up.join();
        } catch (IOException | GeneralSecurityException e) {
            LOG.log(System.Logger.Level.DEBUG, "the control plane cannot be reached: " + e.getMessage());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } finally {
            open.remove(channel);
        }
    }

    private SSLSocket connect() throws IOException, GeneralSecurityException {
        TlsIdentity identity = way.identity();
        SSLContext tls = SSLContext.getInstance("TLS");
        tls.init(
                keys(identity).getKeyManagers(),
                new TrustManager[] {new MeshTrust(way::roots, SpiffeId.control(Caller.TRUST_DOMAIN)::equals)},
                null);
        InetSocketAddress to = way.control();
        Socket plain = new Socket();
        try {
            plain.connect(to, CONNECT_MILLIS);
            SSLSocket socket =
                    (SSLSocket) tls.getSocketFactory().createSocket(plain, to.getHostString(), to.getPort(), true);
            SSLParameters parameters = socket.getSSLParameters();
            parameters.setProtocols(new String[] {"TLSv1.3"});
            parameters.setApplicationProtocols(new String[] {"h2"});
            socket.setSSLParameters(parameters);
            socket.setTcpNoDelay(true);
            socket.setSoTimeout(CONNECT_MILLIS);
            socket.startHandshake();
            socket.setSoTimeout(0);
            return socket;
        } catch (IOException | RuntimeException e) {
            plain.close();
            throw e;
        }
    }

    private static KeyManagerFactory keys(TlsIdentity identity) throws IOException, GeneralSecurityException {
        KeyStore store = KeyStore.getInstance("PKCS12");
        store.load(null, null);
        store.setKeyEntry(
                "proxies", identity.key(), new char[0], identity.chain().toArray(new X509Certificate[0]));
        KeyManagerFactory keys = KeyManagerFactory.getInstance("PKIX");
        keys.init(store, new char[0]);
        return keys;
    }

    private static OutputStream output(SSLSocket socket) {
        try {
            return socket.getOutputStream();
        } catch (IOException e) {
            return OutputStream.nullOutputStream();
        }
    }

    /** Until either end has closed. */
    private static void copy(InputStream from, OutputStream to) {
        byte[] buffer = new byte[BUFFER];
        try {
            for (int read = from.read(buffer); read >= 0; read = from.read(buffer)) {
                to.write(buffer, 0, read);
                to.flush();
            }
        } catch (IOException e) {
            LOG.log(System.Logger.Level.DEBUG, "relayed connection", e);
        }
    }

    private static void close(AutoCloseable one) {
        try {
            one.close();
        } catch (Exception e) {
            LOG.log(System.Logger.Level.DEBUG, "close", e);
        }
    }

    /** Ends all connections. Idempotent. */
    @Override
    public void close() {
        close(server);
        open.forEach(ControlRelay::close);
        try {
            Files.deleteIfExists(path);
        } catch (IOException e) {
            LOG.log(System.Logger.Level.WARNING, path + " cannot be removed: " + e.getMessage());
        }
    }
}
