package dev.tulle.kernel;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.net.InetSocketAddress;

/** Takes datagrams out of a {@link UdpPort} on a thread of its own, and stops without an end of the socket. */
public final class UdpReceiver implements AutoCloseable {
    private final UdpPort port;
    private final int longest;
    private final Handler handler;
    private final ReadWait wait;
    private final Thread thread;

    /** What is done with datagrams. Called on the receiver's thread; an exception of its own would end that. */
    public interface Handler {
        /** A datagram, cut after the longest that was asked for. */
        void received(byte[] message, InetSocketAddress from);

        /** The kernel reported an error, of an answer that was sent before perhaps. */
        void failed();
    }

    private UdpReceiver(String name, UdpPort port, int longest, Handler handler) {
        this.port = port;
        this.longest = longest;
        this.handler = handler;
        this.wait = new ReadWait(port.fd(), port.toString());
        this.thread = Thread.ofPlatform().name(name).daemon().unstarted(this::run);
    }

    /**
     * Receives from now on.
     *
     * @param name the thread's
     * @param longest how much of a datagram is taken
     */
    public static UdpReceiver start(String name, UdpPort port, int longest, Handler handler) {
        UdpReceiver receiver = new UdpReceiver(name, port, longest, handler);
        receiver.thread.start();
        return receiver;
    }

    private void run() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment buffer = arena.allocate(longest);
            MemorySegment from = arena.allocate(SocketCalls.ADDRESS_MAX, 4);
            while (wait.await()) {
                // Several at a wake-up, as many as are there; what is left when it is to end is for who comes next.
                long received = 0;
                while (received >= 0 && !wait.ended()) {
                    received = SocketCalls.receiveFrom(port.fd().number(), buffer, from);
                    if (received >= 0) {
                        byte[] message = buffer.asSlice(0, received).toArray(ValueLayout.JAVA_BYTE);
                        handler.received(message, SocketCalls.address(from));
                    } else if (received != -Errno.EAGAIN && received != -Errno.EINTR) {
                        handler.failed();
                    }
                }
            }
        }
    }

    /** Ends the thread; what has not been taken stays in the socket. Idempotent. */
    @Override
    public void close() {
        wait.end(thread);
    }
}
