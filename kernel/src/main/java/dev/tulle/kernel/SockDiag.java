package dev.tulle.kernel;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.net.Inet4Address;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Optional;

/**
 * Asks the kernel (NETLINK_SOCK_DIAG) whose socket a TCP connection's end is, and ends connections. Used to find the
 * workload behind a loopback connection where no program could tell, and to drain. Any thread; one question at a time.
 * Asking needs no privilege.
 */
public final class SockDiag implements AutoCloseable {
    private static final int AF_NETLINK = 16;
    private static final int SOCK_RAW_CLOEXEC = 3 | 0x80000;
    private static final int NETLINK_SOCK_DIAG = 4;
    private static final int AF_INET = 2;
    private static final int AF_INET6 = 10;
    private static final int IPPROTO_TCP = 6;
    private static final int SOCK_DIAG_BY_FAMILY = 20;
    private static final int SOCK_DESTROY = 21;
    private static final int NLM_F_REQUEST = 1;
    private static final int NLM_F_ACK = 4;
    private static final int NLMSG_ERROR = 2;
    private static final int INET_DIAG_CGROUP_ID = 21;
    private static final int HEADER_SIZE = 16;
    private static final int REQUEST_SIZE = 56;
    private static final int MESSAGE_SIZE = 72;
    private static final int REPLY_MAX = 8192;
    /** Kernels answer in the call itself; answers to older questions are skipped by their number. */
    private static final int ANSWERS_MAX = 16;

    private final Fd socket;
    private final Arena arena = Arena.ofShared();
    private final MemorySegment buffer = arena.allocate(REPLY_MAX, Long.BYTES);
    private int sequence;

    /**
     * One end of a connection.
     *
     * @param inode the socket's inode, as in {@code /proc/PID/fd}; 0 when no process holds it any more
     * @param uid the owner
     * @param cgroupId the cgroup v2 that made the socket; 0 if the kernel does not tell (before 5.9)
     * @param state the kernel's TCP state, 1 for established
     */
    public record Socket(long inode, int uid, long cgroupId, int state) {}

    private SockDiag(Fd socket) {
        this.socket = socket;
    }

    public static SockDiag open() {
        return new SockDiag(Fd.own(
                LibC.socket(AF_NETLINK, SOCK_RAW_CLOEXEC, NETLINK_SOCK_DIAG),
                "socket diagnosis",
                "cannot open a netlink socket for socket diagnosis"));
    }

    /**
     * The TCP socket with exactly these ends, in this process's network namespace; empty if there is none.
     *
     * @param local the wanted socket's own address, which its peer sees as the remote one
     * @param remote the address it is connected to
     */
    public synchronized Optional<Socket> tcp(InetSocketAddress local, InetSocketAddress remote) {
        int number = ++sequence;
        byte[] request = request(SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST, number, local, remote);
        String what = local + " -> " + remote;
        ByteBuffer answer = ask(request, number, what);
        return parse(answer, what);
    }

    /**
     * Ends a connection: its owner sees ECONNABORTED, the other end a reset. Needs CAP_NET_ADMIN.
     *
     * @param local the wanted socket's own address
     * @param remote the address it is connected to
     * @return false when there is no such socket any more
     * @throws BpfException with EOPNOTSUPP when the kernel was built without CONFIG_INET_DIAG_DESTROY
     */
    public synchronized boolean destroy(InetSocketAddress local, InetSocketAddress remote) {
        int number = ++sequence;
        byte[] request = request(SOCK_DESTROY, NLM_F_REQUEST | NLM_F_ACK, number, local, remote);
        String what = local + " -> " + remote;
        ByteBuffer answer = ask(request, number, what);
        int type = answer.getShort(4) & 0xffff;
        if (type != NLMSG_ERROR || answer.limit() < HEADER_SIZE + 4) {
            throw new BpfException(
                    "answer about the end of the socket " + what + " is of type " + type + ", expected " + NLMSG_ERROR);
        }
        int error = -answer.getInt(HEADER_SIZE);
        if (error == Errno.ENOENT) {
            return false;
        }
        if (error != 0) {
            throw new BpfException("cannot end the socket " + what, error);
        }
        return true;
    }

    private static byte[] request(int type, int flags, int number, InetSocketAddress local, InetSocketAddress remote) {
        byte[] from = resolved(local).getAddress();
        byte[] to = resolved(remote).getAddress();
        if (from.length != to.length) {
            throw new IllegalArgumentException("addresses of two families: " + local + " and " + remote);
        }
        ByteBuffer request = ByteBuffer.allocate(HEADER_SIZE + REQUEST_SIZE).order(ByteOrder.nativeOrder());
        request.putInt(request.capacity()).putShort((short) type).putShort((short) flags);
        request.putInt(number).putInt(0);
        boolean v4 = resolved(local) instanceof Inet4Address;
        request.put((byte) (v4 ? AF_INET : AF_INET6))
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
        return request.array();
    }

    private static InetAddress resolved(InetSocketAddress address) {
        InetAddress ip = address.getAddress();
        if (ip == null) {
            throw new IllegalArgumentException(address + " is not resolved, expected an address");
        }
        return ip;
    }

    private ByteBuffer ask(byte[] request, int number, String what) {
        MemorySegment message = buffer.asSlice(0, request.length);
        MemorySegment.copy(request, 0, message, ValueLayout.JAVA_BYTE, 0, request.length);
        long sent = LibC.send(socket.number(), message);
        if (sent < 0) {
            throw new BpfException("cannot ask for the socket " + what, (int) -sent);
        }
        for (int i = 0; i < ANSWERS_MAX; i++) {
            long length = LibC.receive(socket.number(), buffer);
            if (length < 0) {
                throw new BpfException("cannot read the answer about the socket " + what, (int) -length);
            }
            ByteBuffer answer = buffer.asSlice(0, length).asByteBuffer().order(ByteOrder.nativeOrder());
            if (length >= HEADER_SIZE && answer.getInt(8) == number) {
                return answer;
            }
        }
        throw new BpfException("no answer about the socket " + what + " among " + ANSWERS_MAX + " messages");
    }

    static Optional<Socket> parse(ByteBuffer answer, String what) {
        int end = Math.min(answer.getInt(0), answer.limit());
        int type = answer.getShort(4) & 0xffff;
        if (type == NLMSG_ERROR && end >= HEADER_SIZE + 4) {
            int error = -answer.getInt(HEADER_SIZE);
            if (error == Errno.ENOENT) {
                return Optional.empty();
            }
            throw new BpfException("cannot find the socket " + what, error);
        }
        if (type != SOCK_DIAG_BY_FAMILY || end < HEADER_SIZE + MESSAGE_SIZE) {
            throw new BpfException("answer about the socket " + what + " is of type " + type + " with " + end
                    + " bytes, expected type " + SOCK_DIAG_BY_FAMILY);
        }
        // struct inet_diag_msg: 4 bytes, an id of 48, expires, rqueue, wqueue, uid, inode
        int state = answer.get(HEADER_SIZE + 1) & 0xff;
        int uid = answer.getInt(HEADER_SIZE + 64);
        long inode = answer.getInt(HEADER_SIZE + 68) & 0xffffffffL;
        long cgroup = 0;
        int at = HEADER_SIZE + MESSAGE_SIZE;
        while (at + 4 <= end) {
            int length = answer.getShort(at) & 0xffff;
            int attribute = answer.getShort(at + 2) & 0x3fff;
            if (length < 4 || at + length > end) {
                break;
            }
            if (attribute == INET_DIAG_CGROUP_ID && length >= 12) {
                cgroup = answer.getLong(at + 4);
            }
            at += (length + 3) & ~3;
        }
        return Optional.of(new Socket(inode, uid, cgroup, state));
    }

    @Override
    public synchronized void close() {
        if (socket.isOpen()) {
            socket.close();
            arena.close();
        }
    }
}
