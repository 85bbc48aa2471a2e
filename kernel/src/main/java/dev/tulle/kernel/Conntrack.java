package dev.tulle.kernel;

import dev.tulle.common.Ip;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Map;
import java.util.Optional;

/**
 * Asks connection tracking (NETLINK_NETFILTER) what a redirected TCP connection was before rules changed it. Any thread;
 * one question at a time. Asking needs CAP_NET_ADMIN.
 */
public final class Conntrack implements AutoCloseable {
    private static final int NETLINK_NETFILTER = 12;
    private static final int IPPROTO_TCP = 6;

    /** The number of the subsystem (1) and that of the question (1). */
    private static final int CTNETLINK_GET = 1 << 8 | 1;

    private static final int NESTED = 0x8000;
    private static final int TUPLE_ORIGINAL = 1;
    private static final int TUPLE_REPLY = 2;
    private static final int TUPLE_IP = 1;
    private static final int TUPLE_PROTOCOL = 2;
    private static final int IP_V4_SOURCE = 1;
    private static final int IP_V6_SOURCE = 3;
    private static final int PROTOCOL_NUMBER = 1;
    private static final int PORT_SOURCE = 2;
    private static final int PORT_DESTINATION = 3;
    private static final int NFGENMSG_SIZE = 4;
    private static final int TUPLE_MAX = 128;

    private final Netlink netlink;

    /**
     * The two ends of a connection.
     *
     * @param from who made it
     * @param to where it was made to
     */
    public record Ends(InetSocketAddress from, InetSocketAddress to) {}

    private Conntrack(Netlink netlink) {
        this.netlink = netlink;
    }

    /** Opens a socket in this process's network namespace. */
    public static Conntrack open() {
        return new Conntrack(Netlink.open(NETLINK_NETFILTER, "connection tracking"));
    }

    /**
     * What a connection was that arrived between these ends; empty when it is not tracked (any more). Rules that redirect
     * change the source port as well, where another connection of the same one arrives at the same place.
     *
     * @param remote who it came from, as the accepting side sees it
     * @param local where it was accepted
     * @throws BpfException when the kernel does not tell
     */
    public Optional<Ends> original(InetSocketAddress remote, InetSocketAddress local) {
        String action = "find the tracked connection " + remote + " -> " + local;
        boolean v4 = local.getAddress().getAddress().length == Integer.BYTES;
        Netlink.Request request = new Netlink.Request(CTNETLINK_GET, Netlink.NLM_F_REQUEST);
        // struct nfgenmsg: family, version, resource
        request.body()
                .put((byte) (v4 ? Netlink.AF_INET : Netlink.AF_INET6))
                .put((byte) 0)
                .putShort((short) 0);
        // Replies go from where it was accepted to whom it came from.
        request.attribute(NESTED | TUPLE_REPLY, tuple(local, remote, v4));
        return parse(netlink.ask(request, action), action);
    }

    private static byte[] tuple(InetSocketAddress from, InetSocketAddress to, boolean v4) {
        int source = v4 ? IP_V4_SOURCE : IP_V6_SOURCE;
        ByteBuffer addresses = attributes();
        Netlink.put(addresses, source, from.getAddress().getAddress());
        Netlink.put(addresses, source + 1, to.getAddress().getAddress());
        ByteBuffer protocol = attributes();
        Netlink.put(protocol, PROTOCOL_NUMBER, new byte[] {IPPROTO_TCP});
        Netlink.put(protocol, PORT_SOURCE, port(from));
        Netlink.put(protocol, PORT_DESTINATION, port(to));
        ByteBuffer tuple = attributes();
        Netlink.put(tuple, NESTED | TUPLE_IP, written(addresses));
        Netlink.put(tuple, NESTED | TUPLE_PROTOCOL, written(protocol));
        return written(tuple);
    }

    private static ByteBuffer attributes() {
        return ByteBuffer.allocate(TUPLE_MAX).order(ByteOrder.nativeOrder());
    }

    private static byte[] written(ByteBuffer attributes) {
        byte[] bytes = new byte[attributes.position()];
        attributes.get(0, bytes);
        return bytes;
    }

    private static byte[] port(InetSocketAddress end) {
        return new byte[] {(byte) (end.getPort() >> 8), (byte) end.getPort()};
    }

    static Optional<Ends> parse(Netlink.Message answer, String action) {
        if (answer.type() == Netlink.NLMSG_ERROR) {
            int error = answer.error(action);
            if (error == Errno.ENOENT) {
                return Optional.empty();
            }
            throw new BpfException("cannot " + action, error);
        }
        ByteBuffer tuple = answer.attributes(NFGENMSG_SIZE).get(TUPLE_ORIGINAL);
        if (answer.type() != (CTNETLINK_GET & 0xff00) || tuple == null) {
            throw new BpfException("cannot " + action + ": the answer is of type " + answer.type() + ", expected type "
                    + (CTNETLINK_GET & 0xff00) + " with the original ends");
        }
        Map<Integer, ByteBuffer> parts = Netlink.attributes(tuple, 0);
        Map<Integer, ByteBuffer> addresses = Netlink.attributes(part(parts, TUPLE_IP, action), 0);
        Map<Integer, ByteBuffer> protocol = Netlink.attributes(part(parts, TUPLE_PROTOCOL, action), 0);
        int source = addresses.containsKey(IP_V4_SOURCE) ? IP_V4_SOURCE : IP_V6_SOURCE;
        return Optional.of(new Ends(
                end(part(addresses, source, action), part(protocol, PORT_SOURCE, action), action),
                end(part(addresses, source + 1, action), part(protocol, PORT_DESTINATION, action), action)));
    }

    private static ByteBuffer part(Map<Integer, ByteBuffer> parts, int type, String action) {
        ByteBuffer part = parts.get(type);
        if (part == null) {
            throw new BpfException("cannot " + action + ": the answer has no attribute " + type);
        }
        return part;
    }

    private static InetSocketAddress end(ByteBuffer address, ByteBuffer port, String action) {
        int size = address.limit();
        if ((size != 4 && size != 16) || port.limit() < Short.BYTES) {
            throw new BpfException("cannot " + action + ": the answer has an address of " + size
                    + " bytes and a port of " + port.limit());
        }
        byte[] ip = new byte[size];
        address.get(0, ip);
        return new InetSocketAddress(Ip.ofBytes(ip), (port.get(0) & 0xff) << 8 | (port.get(1) & 0xff));
    }

    @Override
    public void close() {
        netlink.close();
    }
}
