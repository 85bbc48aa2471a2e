package dev.tulle.common;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.AsynchronousCloseException;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/**
 * The client half of the local API: sends request lines and reads answer lines over a Unix-domain socket. Not
 * thread-safe; calls block.
 */
public final class LocalApiClient implements AutoCloseable {
    private final SocketChannel channel;
    private final BufferedReader in;

    private LocalApiClient(SocketChannel channel) {
        this.channel = channel;
        this.in = new BufferedReader(
                new InputStreamReader(Channels.newInputStream(channel), StandardCharsets.UTF_8), 1 << 14);
    }

    /**
     * Connects.
     *
     * @throws IOException when nobody serves the socket or permission is missing
     */
    public static LocalApiClient connect(Path path) throws IOException {
        SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX);
        try {
            channel.connect(UnixDomainSocketAddress.of(path));
            return new LocalApiClient(channel);
        } catch (IOException | RuntimeException e) {
            channel.close();
            throw e;
        }
    }

    /**
     * Connects, but waits for a server that takes no connections, because it is stopped or overloaded, only for a while.
     *
     * @throws IOException also when that time is over
     */
    public static LocalApiClient connect(Path path, Duration patience) throws IOException {
        return within(path, patience, "takes no connection", client -> client);
    }

    /**
     * Asks one question of a server that need not be trusted: neither its silence nor the length of its answer costs more
     * than is given here.
     *
     * @param line the request, without a line end
     * @param longest the longest answer, in characters
     * @param patience for connecting, asking and the whole answer
     * @throws IOException when no such answer comes
     */
    public static String ask(Path path, String line, int longest, Duration patience) throws IOException {
        return within(path, patience, "no answer", client -> {
            try (client) {
                client.send(line);
                String answer = readLine(client.in, longest);
                if (answer == null) {
                    throw new IOException(path + ": the server closed the connection without an answer");
                }
                return answer;
            }
        });
    }

    /** What is done with a connection. */
    private interface Conversation<T> {
        T with(LocalApiClient client) throws IOException;
    }

    /** Connects and converses; where both take too long the connection is closed, which is told as {@code missed}. */
    private static <T> T within(Path path, Duration patience, String missed, Conversation<T> conversation)
            throws IOException {
        SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX);
        Thread late = Thread.ofVirtual().name("local-api-late").start(() -> closeAfter(channel, patience));
        try {
            channel.connect(UnixDomainSocketAddress.of(path));
            return conversation.with(new LocalApiClient(channel));
        } catch (AsynchronousCloseException e) {
            throw new IOException(path + ": " + missed + " within " + patience.toMillis() + " ms", e);
        } catch (IOException | RuntimeException e) {
            channel.close();
            throw e;
        } finally {
            late.interrupt();
        }
    }

    private static void closeAfter(SocketChannel channel, Duration patience) {
        try {
            Thread.sleep(patience);
            channel.close();
        } catch (InterruptedException e) {
            // Answered in time.
            Thread.currentThread().interrupt();
        } catch (IOException e) {
            System.getLogger(LocalApiClient.class.getName()).log(System.Logger.Level.DEBUG, "close", e);
        }
    }

    /** True when a live process accepts connections on the socket. */
    public static boolean answers(Path path) {
        try (LocalApiClient client = connect(path)) {
            return client.channel.isConnected();
        } catch (IOException e) {
            return false;
        }
    }

    /** Sends one request line (it must not contain a line end). */
    public void send(String line) throws IOException {
        writeLine(channel, line);
    }

    /** Reads the next answer line; null at the end of the stream. */
    public @Nullable String receive() throws IOException {
        return readLine(in, LocalApiServer.MAX_LINE);
    }

    /**
     * Sends one request and reads one answer.
     *
     * @throws IOException also when the server closed the connection without an answer
     */
    public String call(String line) throws IOException {
        send(line);
        String answer = receive();
        if (answer == null) {
            throw new IOException("the server closed the connection without an answer");
        }
        return answer;
    }

    @Override
    public void close() throws IOException {
        channel.close();
    }

    static void writeLine(SocketChannel channel, String line) throws IOException {
        if (line.indexOf('\n') >= 0) {
            throw new IllegalArgumentException("a message of the local API is one line, found a line end in it");
        }
        ByteBuffer bytes = ByteBuffer.wrap((line + "\n").getBytes(StandardCharsets.UTF_8));
        synchronized (channel) {
            while (bytes.hasRemaining()) {
                channel.write(bytes);
            }
        }
    }

    static @Nullable String readLine(BufferedReader in, int longest) throws IOException {
        StringBuilder line = new StringBuilder();
        for (int c = in.read(); c >= 0; c = in.read()) {
            if (c == '\n') {
                return line.toString();
            }
            if (line.length() >= longest) {
                throw new IOException("a line is longer than " + longest + " characters");
            }
            line.append((char) c);
        }
        return line.isEmpty() ? null : line.toString();
    }
}
