package dev.tulle.kernel;

import dev.tulle.common.Ip;
import java.net.Inet4Address;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnknownHostException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Asks the kernel (NETLINK_SOCK_DIAG) whose socket a TCP connection's end is, and ends connections. Used to find the
 * workload behind a loopback connection where no program could tell, and to drain. Any thread; one question at a time.
 * Asking needs no privilege.
 */
public final class SockDiag implements AutoCloseable {
    private static final int NETLINK_SOCK_DIAG = 4;
    private static final int IPPROTO_TCP = 6;
    private static final int SOCK_DIAG_BY_FAMILY = 20;
    private static final int SOCK_DESTROY = 21;
    private static final int INET_DIAG_CGROUP_ID = 21;
    private static final int TCP_LISTEN = 10;
    private static final int MESSAGE_SIZE = 72;
    private static final int IPPROTO_UDP = 17;
    private static final int ID_OFFSET = 4;
    private static final int ID_SIZE = 48;

    /** The kernel's states of TCP sockets in which nothing of a connection is left to end. */
    private static final int TIME_WAIT = 6;

    private static final int LISTEN = 10;

    private final Netlink netlink;

    /**
     * One end of a connection.
     *
     * @param inode the socket's inode, as in {@code /proc/PID/fd}; 0 when no process holds it any more
     * @param uid the owner
     * @param cgroupId the cgroup v2 that made the socket; 0 if the kernel does not tell (before 5.9)
     * @param state the kernel's TCP state, 1 for established
     */
    public record Socket(long inode, int uid, long cgroupId, int state) {}

    /**
     * A socket of a list.
     *
     * @param local its own address; unspecified for one that is bound to none
     * @param remote the address it is connected to; unspecified and port 0 for none
     * @param state the kernel's TCP state, also for datagram sockets
     * @param family the kernel's number of its address family
     * @param protocol the kernel's number of its protocol
     * @param id what else names it to the kernel
     */
    public record Listed(
            InetSocketAddress local, InetSocketAddress remote, int state, int family, int protocol, List<Byte> id) {
        public Listed {
            id = List.copyOf(id);
        }

        /** True for a connection that has not ended. */
        public boolean isConnection() {
            return protocol == IPPROTO_TCP && state != TIME_WAIT && state != LISTEN;
        }

        /** True for one that can still receive something, or send. */
        public boolean isAlive() {
            return protocol != IPPROTO_TCP || state != TIME_WAIT;
        }
    }

    private SockDiag(Netlink netlink) {
        this.netlink = netlink;
    }

    public static SockDiag open() {
        return new SockDiag(Netlink.open(NETLINK_SOCK_DIAG, "socket diagnosis"));
    }

    /**
     * The TCP socket with exactly these ends, in this process's network namespace; empty if there is none.
     *
     * @param local the wanted socket's own address, which its peer sees as the remote one
     * @param remote the address it is connected to
     */
    public Optional<Socket> tcp(InetSocketAddress local, InetSocketAddress remote) {
        String action = "find the socket " + local + " -> " + remote;
        return parse(netlink.ask(request(SOCK_DIAG_BY_FAMILY, 0, local, remote), action), action);
    }

    /**
     * A listening TCP socket.
     *
     * @param address where it listens
     * @param inode as in {@code /proc/PID/fd}
     * @param uid the owner
     * @param cgroupId the cgroup v2 that made the socket; 0 if the kernel does not tell (before 5.9)
     */
    public record Listener(InetSocketAddress address, long inode, int uid, long cgroupId) {}

    /** All listening TCP sockets of this process's network namespace. Takes some microseconds a socket. */
    public List<Listener> listeners() {
        List<Listener> found = new ArrayList<>();
        for (int family : new int[] {Netlink.AF_INET, Netlink.AF_INET6}) {
            Netlink.Request message =
                    new Netlink.Request(SOCK_DIAG_BY_FAMILY, Netlink.NLM_F_REQUEST | Netlink.NLM_F_DUMP);
            // struct inet_diag_req_v2: family, protocol, extensions, pad, states, and an id that is not read
            message.body().put((byte) family).put((byte) IPPROTO_TCP).putShort((short) 0);
            message.body().putInt(1 << TCP_LISTEN).put(new byte[48]);
            found.addAll(netlink.dump(message, SockDiag::listener, "list listening sockets"));
        }
        return found;
    }

    private static Optional<Listener> listener(Netlink.Message entry) {
        ByteBuffer body = entry.body();
        if (entry.type() != SOCK_DIAG_BY_FAMILY || body.limit() < MESSAGE_SIZE) {
            return Optional.empty();
        }
        byte[] ip = new byte[body.get(0) == Netlink.AF_INET ? 4 : 16];
        body.get(8, ip);
        int port = ((body.get(4) & 0xff) << 8) | (body.get(5) & 0xff);
        ByteBuffer cgroup = entry.attributes(MESSAGE_SIZE).get(INET_DIAG_CGROUP_ID);
        return Optional.of(new Listener(
                new InetSocketAddress(Ip.ofBytes(ip), port),
                body.getInt(68) & 0xffffffffL,
                body.getInt(64),
                cgroup == null || cgroup.limit() < Long.BYTES ? 0 : cgroup.getLong(0)));
    }

    /**
     * Ends a connection: its owner sees ECONNABORTED, the other end a reset. Needs CAP_NET_ADMIN.
     *
     * @param local the wanted socket's own address
     * @param remote the address it is connected to
     * @return false when there is no such socket any more
     * @throws BpfException with EOPNOTSUPP when the kernel was built without CONFIG_INET_DIAG_DESTROY
     */
    public boolean destroy(InetSocketAddress local, InetSocketAddress remote) {
        String action = "end the socket " + local + " -> " + remote;
        int error = netlink.acknowledged(request(SOCK_DESTROY, Netlink.NLM_F_ACK, local, remote), action);
        if (error != 0 && error != Errno.ENOENT) {
            throw new BpfException("cannot " + action, error);
        }
        return error == 0;
    }

    /** All TCP and UDP sockets of this process's network namespace, of both families. */
    public List<Listed> all() {
        List<Listed> found = new ArrayList<>();
        for (int family : new int[] {Netlink.AF_INET, Netlink.AF_INET6}) {
            for (int protocol : new int[] {IPPROTO_TCP, IPPROTO_UDP}) {
                Netlink.Request request =
                        new Netlink.Request(SOCK_DIAG_BY_FAMILY, Netlink.NLM_F_REQUEST | Netlink.NLM_F_DUMP);
                request.body()
                        .put((byte) family)
                        .put((byte) protocol)
                        .put((byte) 0)
                        .put((byte) 0);
                request.body().putInt(-1); // any state
                request.body().put(new byte[ID_SIZE]);
                found.addAll(netlink.dump(request, message -> listed(message, protocol), "list the sockets"));
            }
        }
        return found;
    }

    private static Optional<Listed> listed(Netlink.Message message, int protocol) {
        ByteBuffer body = message.body();
        if (message.type() != SOCK_DIAG_BY_FAMILY || body.limit() < MESSAGE_SIZE) {
            return Optional.empty();
        }
        int family = body.get(0) & 0xff;
        int size = family == Netlink.AF_INET ? 4 : 16;
        List<Byte> id = new ArrayList<>();
        for (int i = 0; i < ID_SIZE; i++) {
            id.add(body.get(ID_OFFSET + i));
        }
        return Optional.of(new Listed(
                end(body, ID_OFFSET + 4, size, ID_OFFSET),
                end(body, ID_OFFSET + 20, size, ID_OFFSET + 2),
                body.get(1) & 0xff,
                family,
                protocol,
                id));
    }

    private static InetSocketAddress end(ByteBuffer body, int addressAt, int size, int portAt) {
        byte[] address = new byte[size];
        body.get(addressAt, address);
        int port = (body.get(portAt) & 0xff) << 8 | (body.get(portAt + 1) & 0xff);
        try {
            return new InetSocketAddress(InetAddress.getByAddress(address), port);
        } catch (UnknownHostException e) {
            throw new IllegalStateException(size + " bytes are no address", e);
        }
    }

    /**
     * Ends a connection of a list, as {@link #destroy(InetSocketAddress, InetSocketAddress)} does; it is that very socket,
     * not another one between the same ends.
     */
    public boolean destroy(Listed socket) {
        String action = "end the socket " + socket.local() + " -> " + socket.remote();
        Netlink.Request request = new Netlink.Request(SOCK_DESTROY, Netlink.NLM_F_REQUEST | Netlink.NLM_F_ACK);
        request.body()
                .put((byte) socket.family())
                .put((byte) socket.protocol())
                .put((byte) 0)
                .put((byte) 0)
                .putInt(-1);
        socket.id().forEach(request.body()::put);
        int error = netlink.acknowledged(request, action);
        if (error != 0 && error != Errno.ENOENT) {
            throw new BpfException("cannot " + action, error);
        }
        return error == 0;
    }

    private static Netlink.Request request(int type, int flags, InetSocketAddress local, InetSocketAddress remote) {
        byte[] from = resolved(local).getAddress();
        byte[] to = resolved(remote).getAddress();
        if (from.length != to.length) {
            throw new IllegalArgumentException("addresses of two families: " + local + " and " + remote);
        }
        Netlink.Request message = new Netlink.Request(type, Netlink.NLM_F_REQUEST | flags);
        ByteBuffer request = message.body();
        boolean v4 = resolved(local) instanceof Inet4Address;
        request.put((byte) (v4 ? Netlink.AF_INET : Netlink.AF_INET6))
                .put((byte) IPPROTO_TCP)
                .put((byte) 0)
                .put((byte) 0);
        request.putInt(-1); // any state
        request.order(ByteOrder.BIG_ENDIAN);
        request.putShort((short) local.getPort()).putShort((short) remote.getPort());
        int addresses = request.position();
        request.put(from).position(addresses + 16);
        request.put(to).position(addresses + 32);
        request.putInt(0); // any interface
        request.putLong(-1); // any cookie
        return message;
    }

    private static InetAddress resolved(InetSocketAddress address) {
        InetAddress ip = address.getAddress();
        if (ip == null) {
            throw new IllegalArgumentException(address + " is not resolved, expected an address");
        }
        return ip;
    }

    static Optional<Socket> parse(Netlink.Message answer, String action) {
        if (answer.type() == Netlink.NLMSG_ERROR) {
            int error = answer.error(action);
            if (error == Errno.ENOENT) {
                return Optional.empty();
            }
            throw new BpfException("cannot " + action, error);
        }
        ByteBuffer body = answer.body();
        if (answer.type() != SOCK_DIAG_BY_FAMILY || body.limit() < MESSAGE_SIZE) {
            throw new BpfException("cannot " + action + ": the answer is of type " + answer.type() + " with "
                    + body.limit() + " bytes, expected type " + SOCK_DIAG_BY_FAMILY);
        }
        // struct inet_diag_msg: 4 bytes, an id of 48, expires, rqueue, wqueue, uid, inode
        int state = body.get(1) & 0xff;
        int uid = body.getInt(64);
        long inode = body.getInt(68) & 0xffffffffL;
        ByteBuffer cgroup = answer.attributes(MESSAGE_SIZE).get(INET_DIAG_CGROUP_ID);
        return Optional.of(
                new Socket(inode, uid, cgroup == null || cgroup.limit() < Long.BYTES ? 0 : cgroup.getLong(0), state));
    }

    @Override
    public void close() {
        netlink.close();
    }
}
