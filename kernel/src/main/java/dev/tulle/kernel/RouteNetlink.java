package dev.tulle.kernel;

import dev.tulle.common.Ip;
import java.net.Inet6Address;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Reads and changes the addresses of an interface and the routes that lead to it, as {@code ip addr} and
 * {@code ip route} do, with rtnetlink(7). It sees the network namespace of the process. Any thread; one request at a
 * time. Reading needs no privilege, changes need CAP_NET_ADMIN. Failures are {@link BpfException}s that say what was
 * tried on which interface; after one, open another.
 */
public final class RouteNetlink implements AutoCloseable {
    /** The index of {@code lo}: the kernel insists on it in each network namespace. */
    public static final int LOOPBACK = 1;

    private static final int NETLINK_ROUTE = 0;

    private static final int RTM_NEWADDR = 20;
    private static final int RTM_DELADDR = 21;
    private static final int RTM_GETADDR = 22;
    private static final int RTM_NEWROUTE = 24;
    private static final int RTM_DELROUTE = 25;
    private static final int RTM_GETROUTE = 26;

    // struct ifaddrmsg: family, prefix length, flags, scope, then the index
    private static final int ADDRESS_SIZE = 8;
    private static final int IFA_ADDRESS = 1;
    private static final int IFA_LOCAL = 2;
    private static final int IFA_F_NODAD = 2;

    // struct rtmsg: family, destination's and source's length, TOS, table, protocol, scope, type, then flags
    private static final int ROUTE_SIZE = 12;
    private static final int RTA_DST = 1;
    private static final int RTA_OIF = 4;
    private static final int RTA_PREFSRC = 7;
    private static final int RTA_TABLE = 15;
    private static final int RTM_F_CLONED = 0x200;
    private static final int RTPROT_UNSPEC = 0;
    private static final int RTPROT_BOOT = 3;

    private static final int SCOPE_UNIVERSE = 0;
    private static final int SCOPE_LINK = 253;
    private static final int SCOPE_HOST = 254;
    /** In a request to delete: any. */
    private static final int SCOPE_NOWHERE = 255;

    private final Netlink netlink;

    /**
     * A route that leads to an interface.
     *
     * @param destination where it is for
     * @param type the kernel's RTN_ number, for example {@link #LOCAL}
     * @param table the routing table, for example {@link #MAIN_TABLE}
     * @param source the preferred source address
     */
    public record Route(IpPrefix destination, int type, int table, Optional<InetAddress> source) {
        /** The type of a route to the interface's network. */
        public static final int UNICAST = 1;
        /** The type of a route whose addresses are this host's own. */
        public static final int LOCAL = 2;

        public static final int MAIN_TABLE = 254;
        public static final int LOCAL_TABLE = 255;

        /** The addresses are this host's: {@code ip route … local DESTINATION src SOURCE}. */
        public static Route local(IpPrefix destination, InetAddress source) {
            return new Route(destination, LOCAL, LOCAL_TABLE, Optional.of(source));
        }

        /** The addresses are behind the interface: {@code ip route … DESTINATION src SOURCE}. */
        public static Route link(IpPrefix destination, InetAddress source) {
            return new Route(destination, UNICAST, MAIN_TABLE, Optional.of(source));
        }

        @Override
        public String toString() {
            return (type == LOCAL ? "local " : type == UNICAST ? "" : "type " + type + " ") + destination + " table "
                    + table + source.map(address -> " src " + Ip.text(address)).orElse("");
        }
    }

    private RouteNetlink(Netlink netlink) {
        this.netlink = netlink;
    }

    public static RouteNetlink open() {
        Netlink netlink = Netlink.open(NETLINK_ROUTE, "addresses and routes");
        netlink.filterInKernel();
        return new RouteNetlink(netlink);
    }

    /** The addresses of an interface, IPv4 and IPv6. */
    public List<IpPrefix> addresses(int index) {
        String action = "list the addresses of interface " + index;
        Netlink.Request request = new Netlink.Request(RTM_GETADDR, Netlink.NLM_F_REQUEST | Netlink.NLM_F_DUMP);
        request.body().putInt(0).putInt(index);
        return netlink.dump(request, message -> address(message, index, action), action);
    }

    /** The IPv4 routes of all tables that lead to an interface. */
    public List<Route> routes4(int index) {
        return routes(index, Netlink.AF_INET, "list the IPv4 routes to interface " + index);
    }

    /** The IPv6 routes of all tables that lead to an interface. */
    public List<Route> routes6(int index) {
        return routes(index, Netlink.AF_INET6, "list the IPv6 routes to interface " + index);
    }

    private List<Route> routes(int index, int family, String action) {
        Netlink.Request request = new Netlink.Request(RTM_GETROUTE, Netlink.NLM_F_REQUEST | Netlink.NLM_F_DUMP);
        request.body().put((byte) family).put(new byte[ROUTE_SIZE - 1]);
        request.attribute(RTA_OIF, index);
        return netlink.dump(request, message -> route(message, index, action), action);
    }

    /**
     * Gives an interface an address; IPv6 ones are usable at once, without a search for duplicates.
     *
     * @return false when the interface had it already
     */
    public boolean addAddress(int index, IpPrefix address) {
        int flags = Netlink.NLM_F_CREATE | Netlink.NLM_F_EXCL;
        return change(
                address(RTM_NEWADDR, flags, index, address),
                Errno.EEXIST,
                "add the address " + address + " to interface " + index);
    }

    /**
     * Takes an address from an interface.
     *
     * @return false when the interface did not have it
     */
    public boolean deleteAddress(int index, IpPrefix address) {
        return change(
                address(RTM_DELADDR, 0, index, address),
                Errno.EADDRNOTAVAIL,
                "delete the address " + address + " of interface " + index);
    }

    /** Adds a route to an interface, or puts it in the place of one to the same destination. */
    public void replaceRoute(int index, Route route) {
        int flags = Netlink.NLM_F_CREATE | Netlink.NLM_F_REPLACE;
        var _ = change(
                route(RTM_NEWROUTE, flags, RTPROT_BOOT, index, route),
                0,
                "set the route " + route + " to interface " + index);
    }

    /**
     * Deletes a route to an interface, whoever made it.
     *
     * @return false when there was none
     */
    public boolean deleteRoute(int index, Route route) {
        return change(
                route(RTM_DELROUTE, 0, RTPROT_UNSPEC, index, route),
                Errno.ESRCH,
                "delete the route " + route + " to interface " + index);
    }

    /** False when the kernel answers {@code needless}: there is nothing to change. */
    private boolean change(Netlink.Request request, int needless, String action) {
        int error = netlink.acknowledged(request, action);
        if (error != 0 && error != needless) {
            throw new BpfException("cannot " + action, error);
        }
        return error == 0;
    }

    private static Netlink.Request address(int type, int flags, int index, IpPrefix address) {
        byte[] raw = address.address().getAddress();
        boolean v6 = address.isV6();
        Netlink.Request request = new Netlink.Request(type, Netlink.NLM_F_REQUEST | Netlink.NLM_F_ACK | flags);
        request.body()
                .put(family(v6))
                .put((byte) address.bits())
                .put((byte) (v6 && type == RTM_NEWADDR ? IFA_F_NODAD : 0))
                .put((byte) (!v6 && raw[0] == 127 ? SCOPE_HOST : SCOPE_UNIVERSE))
                .putInt(index);
        return request.attribute(IFA_LOCAL, raw).attribute(IFA_ADDRESS, raw);
    }

    private static Netlink.Request route(int type, int flags, int protocol, int index, Route route) {
        boolean v6 = route.destination().isV6();
        int reach = route.type() == Route.LOCAL ? SCOPE_HOST : SCOPE_LINK;
        int scope = v6 ? SCOPE_UNIVERSE : type == RTM_DELROUTE ? SCOPE_NOWHERE : reach;
        Netlink.Request request = new Netlink.Request(type, Netlink.NLM_F_REQUEST | Netlink.NLM_F_ACK | flags);
        request.body()
                .put(family(v6))
                .put((byte) route.destination().bits())
                .putShort((short) 0)
                .put((byte) Math.min(route.table(), 255)) // the attribute has the whole number
                .put((byte) protocol)
                .put((byte) scope)
                .put((byte) route.type())
                .putInt(0);
        request.attribute(RTA_DST, route.destination().address().getAddress());
        route.source().ifPresent(address -> request.attribute(RTA_PREFSRC, address.getAddress()));
        return request.attribute(RTA_OIF, index).attribute(RTA_TABLE, route.table());
    }

    private static byte family(boolean v6) {
        return (byte) (v6 ? Netlink.AF_INET6 : Netlink.AF_INET);
    }

    /** What a message of a list of addresses says; empty for another interface's. */
    static Optional<IpPrefix> address(Netlink.Message message, int index, String action) {
        ByteBuffer body = body(message, RTM_NEWADDR, ADDRESS_SIZE, action);
        if (body.getInt(4) != index || size(body) == 0) {
            return Optional.empty();
        }
        Map<Integer, ByteBuffer> attributes = message.attributes(ADDRESS_SIZE);
        // On a link to one peer the other attribute is the peer's; IPv6 has this one only then.
        ByteBuffer local = attributes.getOrDefault(IFA_LOCAL, attributes.get(IFA_ADDRESS));
        if (local == null) {
            throw new BpfException("cannot " + action + ": the answer has an entry without an address");
        }
        return Optional.of(prefix(local, body, action));
    }

    /** What a message of a list of routes says; empty for another interface's and for copies in the kernel's cache. */
    static Optional<Route> route(Netlink.Message message, int index, String action) {
        ByteBuffer body = body(message, RTM_NEWROUTE, ROUTE_SIZE, action);
        int size = size(body);
        Map<Integer, ByteBuffer> attributes = message.attributes(ROUTE_SIZE);
        if (size == 0 || number(attributes, RTA_OIF, 0, action) != index || (body.getInt(8) & RTM_F_CLONED) != 0) {
            return Optional.empty();
        }
        ByteBuffer destination = attributes.get(RTA_DST);
        if (destination == null) {
            destination = ByteBuffer.allocate(size);
        }
        ByteBuffer source = attributes.get(RTA_PREFSRC);
        return Optional.of(new Route(
                prefix(destination, body, action),
                body.get(7) & 0xff,
                number(attributes, RTA_TABLE, body.get(4) & 0xff, action),
                source == null ? Optional.empty() : Optional.of(inet(source, size, action))));
    }

    private static ByteBuffer body(Netlink.Message message, int type, int size, String action) {
        ByteBuffer body = message.body();
        if (message.type() != type || body.limit() < size) {
            throw new BpfException("cannot " + action + ": the answer has a message of type " + message.type()
                    + " with " + body.limit() + " bytes, expected type " + type + " with " + size + " or more");
        }
        return body;
    }

    /** The size of an address of the message's family, 0 for families other than IPv4 and IPv6. */
    private static int size(ByteBuffer body) {
        return switch (body.get(0)) {
            case Netlink.AF_INET -> 4;
            case Netlink.AF_INET6 -> 16;
            default -> 0;
        };
    }

    private static IpPrefix prefix(ByteBuffer value, ByteBuffer body, String action) {
        int size = size(body);
        int bits = body.get(1) & 0xff;
        if (bits > size * 8) {
            throw new BpfException(
                    "cannot " + action + ": the answer has the prefix length " + bits + ", expected 0 to " + size * 8);
        }
        return new IpPrefix(inet(value, size, action), bits);
    }

    private static InetAddress inet(ByteBuffer value, int size, String action) {
        byte[] raw = new byte[value.limit()];
        value.get(0, raw);
        if (raw.length != size) {
            throw new BpfException(
                    "cannot " + action + ": the answer has an address of " + raw.length + " bytes, expected " + size);
        }
        try {
            // Not InetAddress's own method: it would make an IPv4 address of a mapped one.
            return size == 16 ? Inet6Address.getByAddress(null, raw, -1) : InetAddress.getByAddress(raw);
        } catch (UnknownHostException e) {
            throw new IllegalStateException(e);
        }
    }

    private static int number(Map<Integer, ByteBuffer> attributes, int type, int otherwise, String action) {
        ByteBuffer value = attributes.get(type);
        if (value == null) {
            return otherwise;
        }
        if (value.limit() != 4) {
            throw new BpfException("cannot " + action + ": the answer has an attribute " + type + " of " + value.limit()
                    + " bytes, expected 4");
        }
        return value.getInt(0);
    }

    @Override
    public void close() {
        netlink.close();
    }
}
