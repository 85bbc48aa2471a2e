package dev.tulle.agent.dns;

import dev.tulle.agent.ports.DnsPorts;
import dev.tulle.kernel.TcpListener;
import dev.tulle.kernel.UdpPort;
import java.util.ArrayList;
import java.util.List;

/**
 * Serves DNS over UDP and TCP on sockets that outlive it. What one asker may take of it is bounded by its share, so that the
 * others do not notice him ({@link QuestionDesk}, {@link DnsConnections}).
 */
public final class DnsServer implements AutoCloseable {
    private static final System.Logger LOG = System.getLogger(DnsServer.class.getName());

    private final List<AutoCloseable> parts = new ArrayList<>();

    private DnsServer() {}

    /** Serves on these sockets, which stay open when it ends. */
    public static DnsServer start(DnsPorts ports, DnsResolver resolver) {
        DnsServer server = new DnsServer();
        QuestionDesk desk = new QuestionDesk(resolver);
        for (UdpPort port : ports.udp()) {
            server.parts.add(DnsDatagrams.start(port, resolver, desk));
        }
        for (TcpListener listener : ports.tcp()) {
            server.parts.add(DnsConnections.start(listener, resolver, desk));
        }
        // Last, so that it answers what has been taken out of the sockets.
        server.parts.add(desk);
        return server;
    }

    /** Stops: what has not been taken out of the sockets stays in them. */
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
