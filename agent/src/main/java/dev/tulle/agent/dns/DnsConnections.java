package dev.tulle.agent.dns;

import dev.tulle.kernel.TcpAcceptor;
import dev.tulle.kernel.TcpListener;
import dev.tulle.kernel.TcpStream;
import java.io.EOFException;
import java.io.IOException;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * DNS over TCP on one socket: a thread a connection, which answers one question after the other. Each asker has his share
 * of the connections; each step of a connection has a time limit, reading and writing.
 */
final class DnsConnections implements AutoCloseable {
    /** Connections at once, of all askers together. */
    static final int CONNECTIONS_MAX = 128;

    /** How many each asker may have in any case. */
    static final int CONNECTIONS_FLOOR = 4;

    /** How long a connection may be without a question, in milliseconds. */
    static final int IDLE_MILLIS = 10_000;

    /** How long the rest of a question, or taking an answer, may take, in milliseconds. */
    static final int MESSAGE_MILLIS = 5_000;

    /** How long a question may be worked on, in milliseconds: longer than anything in it takes. */
    private static final int ANSWER_MILLIS = 15_000;

    private static final int SWEEP_MILLIS = 250;

    /** The stack of a connection's thread, in bytes; it waits in the kernel, so that it cannot be a virtual one. */
    private static final long STACK = 256 << 10;

    private final DnsResolver resolver;
    private final QuestionDesk desk;
    private final FairSlots<Share> slots = new FairSlots<>(CONNECTIONS_MAX, CONNECTIONS_FLOOR);
    private final Set<Connection> connections = ConcurrentHashMap.newKeySet();
    /** Connections that wait for their first answer, and questions of the others. */
    private final Pending pending = new Pending();

    private volatile boolean closed;
    private final TcpAcceptor acceptor;

    /** A connection and when its present step must be over. */
    private static final class Connection {
        final TcpStream stream;
        volatile long deadline;

        /** Not answered yet. */
        boolean fresh = true;

        Connection(TcpStream stream) {
            this.stream = stream;
            within(IDLE_MILLIS);
        }

        final void within(int millis) {
            deadline = System.nanoTime() + millis * 1_000_000L;
        }
    }

    // The acceptor calls back only once the constructor is done with all that it needs.
    @SuppressWarnings("this-escape")
    private DnsConnections(TcpListener listener, DnsResolver resolver, QuestionDesk desk) {
        this.resolver = resolver;
        this.desk = desk;
        this.acceptor = TcpAcceptor.start("dns-tcp", listener, this::accepted);
    }

    /** Serves the socket. */
    static DnsConnections start(TcpListener listener, DnsResolver resolver, QuestionDesk desk) {
        DnsConnections all = new DnsConnections(listener, resolver, desk);
        Thread.ofVirtual().name("dns-tcp-sweep").start(all::sweepLoop);
        return all;
    }

    private void accepted(TcpStream stream) {
        Asker asker = resolver.askerAt(stream.remote().getAddress());
        Share share = resolver.shareOf(asker);
        if (!slots.take(share)) {
            share.refusal(System.nanoTime());
            stream.abort();
            stream.close();
            return;
        }
        Connection connection = new Connection(stream);
        connections.add(connection);
        pending.begun();
        Thread thread = Thread.ofPlatform()
                .name("dns-connection")
                .daemon()
                .stackSize(STACK)
                .unstarted(() -> {
                    try {
                        serve(connection, asker, share);
                    } catch (IOException e) {
                        // The asker has gone, or took too long.
                    } finally {
                        ended(connection, share);
                    }
                });
        try {
            thread.start();
        } catch (OutOfMemoryError e) {
            // The host has no room for one more thread: this connection ends, not the thread that accepts.
            stream.abort();
            ended(connection, share);
        }
    }

    private void ended(Connection connection, Share share) {
        if (connection.fresh) {
            pending.done();
        }
        connections.remove(connection);
        slots.give(share);
        connection.stream.close();
    }

    private void serve(Connection connection, Asker asker, Share share) throws IOException {
        TcpStream stream = connection.stream;
        // Who has connected to this server has no other one to ask.
        while (connection.fresh || !closed) {
            connection.within(IDLE_MILLIS);
            Optional<byte[]> first = stream.read(1);
            if (first.isEmpty()) {
                return;
            }
            connection.within(MESSAGE_MILLIS);
            int length = ((first.get()[0] & 0xff) << 8) | (rest(stream, 1)[0] & 0xff);
            if (length > DnsQuery.MESSAGE_MAX) {
                share.malformed();
                return;
            }
            byte[] message = rest(stream, length);
            if (!connection.fresh) {
                pending.begun();
            }
            try {
                connection.within(ANSWER_MILLIS);
                Optional<byte[]> answer = ask(message, asker, share);
                if (answer.isEmpty()) {
                    return;
                }
                connection.within(MESSAGE_MILLIS);
                write(stream, answer.get());
            } finally {
                connection.fresh = false;
                pending.done();
            }
        }
    }

    private static byte[] rest(TcpStream stream, int size) throws IOException {
        return stream.read(size).orElseThrow(EOFException::new);
    }

    private Optional<byte[]> ask(byte[] message, Asker asker, Share share) throws IOException {
        CompletableFuture<Optional<byte[]>> answer = new CompletableFuture<>();
        desk.submit(new Question(new DnsQuery.Bytes(message), asker, share, true, System.nanoTime(), answer::complete));
        try {
            return answer.get(ANSWER_MILLIS, TimeUnit.MILLISECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new EOFException();
        } catch (ExecutionException | TimeoutException e) {
            return Optional.empty();
        }
    }

    private static void write(TcpStream stream, byte[] answer) throws IOException {
        byte[] framed = new byte[answer.length + 2];
        framed[0] = (byte) (answer.length >>> 8);
        framed[1] = (byte) answer.length;
        System.arraycopy(answer, 0, framed, 2, answer.length);
        stream.write(framed);
    }

    /** Ends connections whose step takes too long, whatever they hang in. */
    private void sweepLoop() {
        while (!closed) {
            long now = System.nanoTime();
            for (Connection connection : connections) {
                if (now - connection.deadline > 0) {
                    connection.stream.abort();
                }
            }
            pause();
        }
    }

    private static void pause() {
        try {
            Thread.sleep(SWEEP_MILLIS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** Stops accepting and ends the connections, a moment after their questions; who waits to be accepted waits on. */
    @Override
    public void close() {
        closed = true;
        acceptor.close();
        pending.await();
        connections.forEach(connection -> connection.stream.abort());
    }
}
