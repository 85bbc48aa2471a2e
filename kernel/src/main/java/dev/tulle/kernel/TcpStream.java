package dev.tulle.kernel;

import java.io.EOFException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.net.InetSocketAddress;
import java.util.Optional;

/**
 * An accepted TCP connection as a descriptor. One thread reads and writes, and waits in the kernel meanwhile: a platform
 * thread. Any thread may end it.
 */
public final class TcpStream implements AutoCloseable {
    private static final int IPPROTO_TCP = 6;
    private static final int TCP_NODELAY = 1;
    private static final int SO_LINGER = 13;

    private final Fd fd;
    private final InetSocketAddress remote;

    private TcpStream(Fd fd, InetSocketAddress remote) {
        this.fd = fd;
        this.remote = remote;
    }

    /** Takes ownership of an accepted descriptor; empty, and closed, when its peer has gone already. */
    static Optional<TcpStream> of(int number) {
        Fd fd = Fd.own(number, "a connection", "");
        try {
            SocketCalls.setOption(number, IPPROTO_TCP, TCP_NODELAY, 1);
            return Optional.of(new TcpStream(fd, SocketCalls.peer(number)));
        } catch (BpfException e) {
            fd.close();
            return Optional.empty();
        }
    }

    /** Who is at the other end. */
    public InetSocketAddress remote() {
        return remote;
    }

    /**
     * Waits for so many bytes.
     *
     * @return empty when the peer has ended before the first of them
     * @throws EOFException when it has ended after that
     */
    public Optional<byte[]> read(int size) throws IOException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment buffer = arena.allocate(Math.max(size, 1));
            long read = 0;
            while (read < size) {
                long more = LibC.receive(fd.number(), buffer.asSlice(read, size - read));
                if (more == 0 && read == 0) {
                    return Optional.empty();
                }
                if (more == 0) {
                    throw new EOFException(remote + " ended within a message");
                }
                read += checked(more, "read from ");
            }
            return Optional.of(buffer.asSlice(0, size).toArray(ValueLayout.JAVA_BYTE));
        }
    }

    /** Waits until the kernel has taken everything. */
    public void write(byte[] bytes) throws IOException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment buffer = arena.allocateFrom(ValueLayout.JAVA_BYTE, bytes);
            long written = 0;
            while (written < bytes.length) {
                written += checked(SocketCalls.sendStream(fd.number(), buffer.asSlice(written)), "write to ");
            }
        }
    }

    private long checked(long result, String action) throws IOException {
        if (result == -Errno.EINTR) {
            return 0;
        }
        if (result < 0) {
            throw new IOException("cannot " + action + remote + ": " + Errno.describe((int) -result));
        }
        return result;
    }

    /** Ends it at once: whoever waits in it gets an end or an error, the peer a reset. Any thread. */
    public synchronized void abort() {
        if (fd.isOpen()) {
            try (Arena arena = Arena.ofConfined()) {
                // struct linger { int onoff; int seconds; }: closing sends a reset.
                MemorySegment linger = arena.allocateFrom(ValueLayout.JAVA_INT, 1, 0);
                var _ = LibC.setSocketOption(fd.number(), SocketCalls.SOL_SOCKET, SO_LINGER, linger);
            }
            var _ = SocketCalls.shutdown(fd.number());
        }
    }

    /** Closes it; by the thread that reads and writes. Idempotent. */
    @Override
    public synchronized void close() {
        fd.close();
    }
}
