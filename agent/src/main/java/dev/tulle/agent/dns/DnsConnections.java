package dev.tulle.agent.dns;

import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * DNS over TCP on one address: a virtual thread a connection, which answers one question after the other. Each asker has
 * his share of the connections; each step of a connection has a time limit, reading and writing.
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

    private final ServerSocket server;
    private final DnsResolver resolver;
    private final QuestionDesk desk;
    private final FairSlots<Share> slots = new FairSlots<>(CONNECTIONS_MAX, CONNECTIONS_FLOOR);
    private final Set<Connection> connections = ConcurrentHashMap.newKeySet();

    /** A connection and when its present step must be over. */
    private static final class Connection {
        final Socket socket;
        volatile long deadline;

        Connection(Socket socket) {
            this.socket = socket;
            within(IDLE_MILLIS);
        }

        final void within(int millis) {
            deadline = System.nanoTime() + millis * 1_000_000L;
        }
    }

    private DnsConnections(ServerSocket server, DnsResolver resolver, QuestionDesk desk) {
        this.server = server;
        this.resolver = resolver;
        this.desk = desk;
    }

    /**
     * Binds and serves.
     *
     * @throws IOException when the address cannot be bound
     */
    static DnsConnections start(InetSocketAddress address, DnsResolver resolver, QuestionDesk desk) throws IOException {
        ServerSocket server = new ServerSocket();
        try {
            server.setReuseAddress(true);
            server.bind(address, 128);
        } catch (IOException e) {
            server.close();
            throw e;
        }
        DnsConnections all = new DnsConnections(server, resolver, desk);
        Thread.ofVirtual().name("dns-tcp").start(all::acceptLoop);
        Thread.ofVirtual().name("dns-tcp-sweep").start(all::sweepLoop);
        return all;
    }

    private void acceptLoop() {
        while (!server.isClosed()) {
            try {
                accepted(server.accept());
            } catch (IOException e) {
                // Closed, or no descriptor is free just now: those who wait are accepted later.
                pause(SWEEP_MILLIS);
            }
        }
    }

    private void accepted(Socket socket) {
        Asker asker = resolver.askerAt(socket.getInetAddress());
        Share share = resolver.shareOf(asker);
        if (!slots.take(share)) {
            share.refusal(System.nanoTime());
            closeQuietly(socket, true);
            return;
        }
        Connection connection = new Connection(socket);
        connections.add(connection);
        Thread.ofVirtual().name("dns-connection").start(() -> {
            try {
                serve(connection, asker, share);
            } catch (IOException e) {
                // The asker has gone, or took too long.
            } finally {
                connections.remove(connection);
                slots.give(share);
                closeQuietly(socket, false);
            }
        });
    }

    private void serve(Connection connection, Asker asker, Share share) throws IOException {
        Socket socket = connection.socket;
        socket.setTcpNoDelay(true);
        DataInputStream in = new DataInputStream(socket.getInputStream());
        while (true) {
            connection.within(IDLE_MILLIS);
            int first = in.read();
            if (first < 0) {
                return;
            }
            connection.within(MESSAGE_MILLIS);
            int length = first << 8 | in.readUnsignedByte();
            if (length > DnsQuery.MESSAGE_MAX) {
                share.malformed();
                return;
            }
            byte[] message = new byte[length];
            in.readFully(message);
            connection.within(ANSWER_MILLIS);
            Optional<byte[]> answer = ask(message, asker, share);
            if (answer.isEmpty()) {
                return;
            }
            connection.within(MESSAGE_MILLIS);
            write(socket, answer.get());
        }
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

    private static void write(Socket socket, byte[] answer) throws IOException {
        byte[] framed = new byte[answer.length + 2];
        framed[0] = (byte) (answer.length >>> 8);
        framed[1] = (byte) answer.length;
        System.arraycopy(answer, 0, framed, 2, answer.length);
        socket.getOutputStream().write(framed);
    }

    /** Ends connections whose step takes too long, whatever they hang in. */
    private void sweepLoop() {
        while (!server.isClosed()) {
            long now = System.nanoTime();
            for (Connection connection : connections) {
                if (now - connection.deadline > 0) {
                    closeQuietly(connection.socket, true);
                }
            }
            pause(SWEEP_MILLIS);
        }
    }

    private static void pause(int millis) {
        try {
            Thread.sleep(millis);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private static void closeQuietly(Socket socket, boolean atOnce) {
        try {
            if (atOnce) {
                socket.setSoLinger(true, 0);
            }
            socket.close();
        } catch (IOException e) {
            // It is closed.
        }
    }

    @Override
    public void close() throws IOException {
        server.close();
        connections.forEach(connection -> closeQuietly(connection.socket, false));
    }
}
