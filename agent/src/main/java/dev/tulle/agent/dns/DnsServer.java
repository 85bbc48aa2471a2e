package dev.tulle.agent.dns;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketException;
import java.util.ArrayList;
import java.util.List;

/**
 * Serves DNS over UDP and TCP on loopback addresses. What one asker may take of it is bounded by its share, so that the
 * others do not notice him ({@link QuestionDesk}, {@link DnsConnections}).
 */
public final class DnsServer implements AutoCloseable {
    private static final System.Logger LOG = System.getLogger(DnsServer.class.getName());

    private final List<AutoCloseable> parts = new ArrayList<>();

    private DnsServer() {}

    /**
     * Opens the sockets and serves.
     *
     * @throws IOException when a socket cannot be bound; nothing stays open then
     */
    public static DnsServer start(List<InetAddress> addresses, int port, DnsResolver resolver) throws IOException {
        DnsServer server = new DnsServer();
        try {
            QuestionDesk desk = new QuestionDesk(resolver);
            server.parts.add(desk);
            for (InetAddress address : addresses) {
                server.listen(new InetSocketAddress(address, port), resolver, desk);
            }
            return server;
        } catch (IOException e) {
            server.close();
            throw e;
        }
    }

    private void listen(InetSocketAddress address, DnsResolver resolver, QuestionDesk desk) throws IOException {
        try {
            parts.add(DnsDatagrams.start(address, resolver, desk));
            parts.add(DnsConnections.start(address, resolver, desk));
        } catch (SocketException e) {
            throw new IOException("DNS on " + address + ": " + e.getMessage(), e);
        }
    }

    /** Closes all sockets. */
    @Override
    public void close() {
        for (AutoCloseable part : parts) {
            try {
                part.close();
            } catch (Exception e) {
                LOG.log(System.Logger.Level.WARNING, "DNS: close failed", e);
            }
        }
    }
}
