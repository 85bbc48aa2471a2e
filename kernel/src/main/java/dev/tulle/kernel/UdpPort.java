package dev.tulle.kernel;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.net.InetSocketAddress;
import java.util.concurrent.locks.ReadWriteLock;
import java.util.concurrent.locks.ReentrantReadWriteLock;

/**
 * A bound UDP socket as a descriptor, that another process can hold as well: what arrives while nobody reads waits in it
 * until one of them does. Any thread; closing it while a {@link UdpReceiver} reads it is a bug.
 */
public final class UdpPort implements AutoCloseable {
    private static final int SO_RCVBUF = 8;
    private static final int IPPROTO_UDP = 17;

    /** Held for reading by those who send, so that the descriptor's number is nothing else's yet. */
    private final ReadWriteLock use = new ReentrantReadWriteLock();

    private final Fd fd;
    private final InetSocketAddress address;

    private UdpPort(Fd fd, InetSocketAddress address) {
        this.fd = fd;
        this.address = address;
    }

    /**
     * Binds. An IPv6 socket takes no IPv4 datagrams.
     *
     * @param address resolved
     * @param buffer bytes that may wait to be read; the kernel may allow less
     * @throws BpfException with {@link Errno#EADDRINUSE} when somebody has the address
     */
    public static UdpPort open(InetSocketAddress address, int buffer) {
        String what = "UDP " + address;
        Fd fd = SocketCalls.bound(
                address,
                SocketCalls.DATAGRAM_CLOEXEC,
                what,
                number -> SocketCalls.setOption(number, SocketCalls.SOL_SOCKET, SO_RCVBUF, buffer));
        try {
            return new UdpPort(fd, SocketCalls.name(fd.number()));
        } catch (RuntimeException e) {
            fd.close();
            throw e;
        }
    }

    /**
     * Takes ownership of a descriptor that was another process's.
     *
     * @throws BpfException when it is no UDP socket of this network namespace; it is closed then
     */
    static UdpPort received(int number) {
        Fd fd = Fd.own(number, "a received UDP socket", "");
        try {
            if (!isOne(number) || TcpListener.ownNamespace() != TcpListener.namespace(number)) {
                throw new BpfException("a received descriptor is no UDP socket of this network namespace");
            }
            return new UdpPort(fd, SocketCalls.name(number));
        } catch (RuntimeException e) {
            fd.close();
            throw e;
        }
    }

    static boolean isOne(int number) {
        return SocketCalls.option(number, SocketCalls.SOL_SOCKET, SocketCalls.SO_PROTOCOL) == IPPROTO_UDP;
    }

    /** Where it is bound. */
    public InetSocketAddress address() {
        return address;
    }

    /**
     * Sends a datagram.
     *
     * @return whether the kernel took it; false too when this is closed
     */
    public boolean send(byte[] message, InetSocketAddress to) {
        use.readLock().lock();
        try (Arena arena = Arena.ofConfined()) {
            if (!fd.isOpen()) {
                return false;
            }
            MemorySegment bytes = arena.allocateFrom(ValueLayout.JAVA_BYTE, message);
            return SocketCalls.sendTo(fd.number(), bytes, SocketCalls.address(arena, to)) == message.length;
        } finally {
            use.readLock().unlock();
        }
    }

    Fd fd() {
        return fd;
    }

    /** Gives up this process's hold. Idempotent. */
    @Override
    public void close() {
        use.writeLock().lock();
        try {
            fd.close();
        } finally {
            use.writeLock().unlock();
        }
    }

    @Override
    public String toString() {
        return "UDP " + address;
    }
}
