package dev.tulle.common;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** One connection of a {@link PageServer}: requests one after the other, GET and HEAD only. Of the server's thread. */
final class PageConnection {
    /** The longest request head, in bytes. */
    static final int MAX_HEAD = 8 << 10;

    /** What it waits for; earlier ones are closed first when there are too many connections. */
    enum Phase {
        /** The next request. */
        IDLE,
        /** The rest of a request's head. */
        READING,
        /** The reader. */
        WRITING,
        /** The page. */
        MAKING
    }

    private final PageServer server;
    private final SocketChannel channel;
    private final Map<String, PageMaker> pages;
    private final PageServer.Limits limits;
    private @Nullable SelectionKey key;
    private ByteBuffer in = ByteBuffer.allocate(1 << 10);
    private @Nullable ByteBuffer out;
    private Phase phase = Phase.READING;
    private long since;
    private long deadline;
    private boolean keeps;
    private boolean ended;
    private boolean closed;
    private @Nullable PageMaker asked;

    /** Tells a late answer from the one that is waited for. */
    private int request;

    PageConnection(PageServer server, SocketChannel channel, Map<String, PageMaker> pages, PageServer.Limits limits) {
        this.server = server;
        this.channel = channel;
        this.pages = pages;
        this.limits = limits;
        enter(Phase.READING, limits.head());
    }

    void register(SelectionKey with) {
        key = with;
    }

    Phase phase() {
        return phase;
    }

    /** When it began to wait, as {@link System#nanoTime}. */
    Long since() {
        return since;
    }

    /** When its patience ends. */
    long deadline() {
        return deadline;
    }

    /** Bytes of its answer that the reader has not taken. */
    long unsent() {
        ByteBuffer left = out;
        return left == null ? 0 : left.remaining();
    }

    private void enter(Phase next, Duration patience) {
        phase = next;
        since = System.nanoTime();
        deadline = since + patience.toNanos();
    }

    private void interest(int operations) {
        SelectionKey of = key;
        if (of != null && of.isValid()) {
            of.interestOps(operations);
        }
    }

    /** Bytes can be moved. */
    void ready() {
        try {
            if (phase == Phase.WRITING) {
                write();
            } else {
                read();
            }
        } catch (IOException e) {
            close();
        }
    }

    /** The patience is over. */
    void expired() {
        PageMaker late = asked;
        if (phase == Phase.MAKING && late != null) {
            request++;
            answer(late.late(), false);
        } else if (phase == Phase.READING && in.position() > 0) {
            answer(new Page.Answer(408, Page.TEXT, "the request took too long\n"), false);
            if (phase == Phase.READING) {
                close();
            }
        } else {
            close();
        }
    }

    private void read() throws IOException {
        if (!in.hasRemaining()) {
            ByteBuffer larger = ByteBuffer.allocate(MAX_HEAD);
            larger.put(in.flip());
            in = larger;
        }
        int n = channel.read(in);
        if (n < 0) {
            close();
            return;
        }
        if (phase == Phase.IDLE && n > 0) {
            enter(Phase.READING, limits.head());
        }
        parse();
    }

    private void parse() {
        int end = endOfHead();
        if (end < 0) {
            if (in.position() == MAX_HEAD) {
                refuse(431, "the request's head is longer than " + MAX_HEAD + " bytes");
            }
            return;
        }
        String head = new String(in.array(), 0, end, StandardCharsets.ISO_8859_1);
        in.flip().position(end);
        in.compact();
        request(head);
    }

    private int endOfHead() {
        byte[] bytes = in.array();
        for (int i = 3; i < in.position(); i++) {
            if (bytes[i] == '\n' && bytes[i - 1] == '\r' && bytes[i - 2] == '\n' && bytes[i - 3] == '\r') {
                return i + 1;
            }
        }
        return -1;
    }

    private void request(String head) {
        PageRequest read = PageRequest.read(head);
        if (read == null) {
            refuse(400, "expected METHOD /PATH HTTP/1.1");
            return;
        }
        keeps = read.keeps();
        boolean isHead = read.isHead();
        PageMaker maker = pages.get(read.path());
        if (maker == null) {
            answer(
                    new Page.Answer(
                            404, Page.TEXT, "no such page; there are " + String.join(" ", pages.keySet()) + "\n"),
                    isHead);
            return;
        }
        if (!maker.method().equals(isHead ? "GET" : read.method())) {
            refuse(405, "expected " + maker.method());
            return;
        }
        asked = maker;
        int current = ++request;
        enter(Phase.MAKING, limits.make());
        // Nothing is read meanwhile; an error of the connection shows when the answer is written.
        interest(0);
        maker.ask(answer -> server.onThread(() -> {
            if (phase == Phase.MAKING && current == request && !closed) {
                answer(answer, isHead);
            }
        }));
    }

    private void refuse(int status, String why) {
        keeps = false;
        answer(new Page.Answer(status, Page.TEXT, why + "\n"), false);
    }

    private void answer(Page.Answer answer, boolean isHead) {
        asked = null;
        byte[] body = answer.body().getBytes(StandardCharsets.UTF_8);
        String head = "HTTP/1.1 " + answer.status() + " " + word(answer.status()) + "\r\nContent-Type: " + answer.type()
                + "\r\nContent-Length: " + body.length + "\r\n" + (keeps ? "" : "Connection: close\r\n") + "\r\n";
        byte[] start = head.getBytes(StandardCharsets.ISO_8859_1);
        ByteBuffer all = ByteBuffer.allocate(start.length + (isHead ? 0 : body.length));
        all.put(start);
        if (!isHead) {
            all.put(body);
        }
        out = all.flip();
        server.makeRoom(this, all.remaining());
        enter(Phase.WRITING, limits.send());
        try {
            write();
        } catch (IOException e) {
            close();
        }
    }

    private static String word(int status) {
        return switch (status) {
            case 200 -> "OK";
            case 503 -> "Service Unavailable";
            case 404 -> "Not Found";
            default -> "Error";
        };
    }

    private void write() throws IOException {
        ByteBuffer left = out;
        if (left == null) {
            return;
        }
        if (left.hasRemaining() && channel.write(left) > 0) {
            deadline = System.nanoTime() + limits.send().toNanos();
        }
        if (left.hasRemaining()) {
            interest(SelectionKey.OP_WRITE);
            return;
        }
        out = null;
        if (!keeps) {
            end();
            return;
        }
        enter(in.position() > 0 ? Phase.READING : Phase.IDLE, in.position() > 0 ? limits.head() : limits.idle());
        interest(SelectionKey.OP_READ);
        if (in.position() > 0) {
            parse();
        }
    }

    /** Our side ends; what still comes is thrown away, as a close before that could destroy the answer on its way. */
    private void end() throws IOException {
        if (!ended) {
            ended = true;
            channel.shutdownOutput();
        }
        close();
    }

    void close() {
        if (!closed) {
            closed = true;
            out = null;
            try {
                channel.close();
            } catch (IOException e) {
                // Closed it is.
                ended = true;
            }
            server.gone(this);
        }
    }
}
