package dev.tulle.kernel;

import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Consumer;

/** Accepts connections of a {@link TcpListener} on a thread of its own, and stops without an end of the listener. */
public final class TcpAcceptor implements AutoCloseable {
    private static final int ECONNABORTED = 103;
    /** No descriptor is free: those who wait are accepted later. */
    private static final long PAUSE = TimeUnit.MILLISECONDS.toNanos(250);

    private final TcpListener listener;
    private final Consumer<TcpStream> accepted;
    private final ReadWait wait;
    private final Thread thread;

    private TcpAcceptor(String name, TcpListener listener, Consumer<TcpStream> accepted) {
        this.listener = listener;
        this.accepted = accepted;
        this.wait = new ReadWait(listener.fd(), listener.toString());
        this.thread = Thread.ofPlatform().name(name).daemon().unstarted(this::run);
    }

    /**
     * Accepts from now on.
     *
     * @param name the thread's
     * @param accepted called on that thread with a connection that is its own; must not throw
     */
    public static TcpAcceptor start(String name, TcpListener listener, Consumer<TcpStream> accepted) {
        TcpAcceptor acceptor = new TcpAcceptor(name, listener, accepted);
        acceptor.thread.start();
        return acceptor;
    }

    private void run() {
        while (wait.await()) {
            int number = SocketCalls.accept(listener.fd().number());
            if (number >= 0) {
                TcpStream.of(number).ifPresent(accepted);
            } else if (number != -Errno.EAGAIN && number != -Errno.EINTR && number != -ECONNABORTED) {
                LockSupport.parkNanos(PAUSE);
            }
        }
    }

    /** Ends the thread; who has not been accepted waits for the next. Idempotent. */
    @Override
    public void close() {
        wait.end(thread);
    }
}
