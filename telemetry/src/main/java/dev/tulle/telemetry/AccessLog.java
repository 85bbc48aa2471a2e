package dev.tulle.telemetry;

import dev.tulle.common.PrivateFiles;
import java.io.BufferedWriter;
import java.io.IOException;
import java.io.OutputStreamWriter;
import java.io.Writer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Writes one line per request on a thread of its own. Logging never waits: when the writer cannot keep up, entries are
 * dropped and counted. A file that passes its size limit is moved to the same name with {@code .1} (replacing an older
 * one), so that the log takes at most twice the limit. Any thread.
 */
public final class AccessLog implements AutoCloseable {
    /** Entries waiting for the writer before further ones are dropped. */
    public static final int QUEUE = 8_192;

    /** The size at which a file is moved away, in bytes. */
    public static final long FILE_LIMIT = 64L << 20;

    private static final System.Logger LOG = System.getLogger(AccessLog.class.getName());
    /** Lines after which the file is brought up to date although further ones wait. */
    private static final int FLUSH = 1_024;

    /** How long a file that cannot be written is left alone. */
    private static final Duration RETRY = Duration.ofSeconds(5);

    private static final AccessLogEntry END =
            new AccessLogEntry(0, "", "", "", 0, "", "", 0, 0, 0, 0, "", "", "", "", "", "", "", "", "", "");

    private final @Nullable Path file;
    private final BlockingQueue<AccessLogEntry> queue = new ArrayBlockingQueue<>(QUEUE);
    private final Counter written;
    private final Counter dropped;
    private final Counter failed;
    private final Thread thread;
    private volatile String trouble = "";

    private AccessLog(@Nullable Path file, MetricRegistry registry) {
        this.file = file;
        MetricFamily<Counter> lines =
                registry.counter("tulle_access_log_lines_total", "Lines of the access log.", "outcome");
        this.written = lines.with("written");
        this.dropped = lines.with("dropped");
        this.failed = lines.with("failed");
        this.thread = Thread.ofPlatform().name("access-log").daemon().unstarted(this::run);
    }

    /**
     * Starts to write.
     *
     * @param target a file, made when missing and appended to, as {@link PrivateFiles#append} does; {@code -} for the
     *     standard output
     */
    public static AccessLog open(String target, MetricRegistry registry) {
        AccessLog log = new AccessLog(target.equals("-") ? null : Path.of(target), registry);
        log.thread.start();
        return log;
    }

    /** Hands an entry to the writer, or drops it. */
    public void log(AccessLogEntry entry) {
        if (!queue.offer(entry)) {
            dropped.increment();
        }
    }

    /** Why lines cannot be written, one sentence; empty while they can. */
    public String trouble() {
        return trouble;
    }

    private void run() {
        try {
            while (writeUntilFull()) {
                rotate();
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** Writes until the file is full (true) or the log was closed (false). */
    private boolean writeUntilFull() throws InterruptedException {
        long size = 0;
        int unflushed = 0;
        boolean closed = false;
        try (Writer out = open()) {
            if (file != null) {
                size = Files.size(file);
            }
            while (file == null || size < FILE_LIMIT) {
                AccessLogEntry entry = queue.poll();
                if (entry == null || unflushed >= FLUSH) {
                    out.flush();
                    unflushed = arrived(unflushed);
                }
                if (entry == null) {
                    entry = queue.take();
                }
                if (entry.equals(END)) {
                    closed = true;
                    break;
                }
                String line = entry.format();
                out.write(line);
                out.write('\n');
                size += line.length() + 1L;
                unflushed++;
            }
            out.flush();
            unflushed = arrived(unflushed);
            return !closed;
        } catch (IOException e) {
            failed.add(unflushed);
            String why = "the access log " + (file == null ? "-" : file) + " cannot be written: " + e;
            if (!why.equals(trouble)) {
                trouble = why;
                LOG.log(System.Logger.Level.WARNING, why + "; tried again every " + RETRY.toSeconds() + " s");
            }
            Thread.sleep(RETRY);
            return true;
        }
    }

    /** Counts lines that have reached the file; the new number of those that have not. */
    private int arrived(int lines) {
        written.add(lines);
        if (lines > 0) {
            trouble = "";
        }
        return 0;
    }

    private Writer open() throws IOException {
        return file == null
                ? new OutputStreamWriter(new NonClosing(), StandardCharsets.UTF_8)
                : new BufferedWriter(
                        // The agent writes as root, perhaps where the proxy\'s user may: a link there is not followed.
                        new OutputStreamWriter(PrivateFiles.append(file), StandardCharsets.UTF_8), 1 << 15);
    }

    private void rotate() {
        if (file == null) {
            return;
        }
        try {
            if (Files.exists(file) && Files.size(file) >= FILE_LIMIT) {
                Files.move(file, file.resolveSibling(file.getFileName() + ".1"), StandardCopyOption.REPLACE_EXISTING);
            }
        } catch (IOException e) {
            LOG.log(
                    System.Logger.Level.WARNING,
                    "access log " + file + ": cannot be moved away, so it begins anew in place: " + e);
            empty(file);
        }
    }

    /** In a folder of root's the proxy may not move a file: without this it would be opened and found full for ever. */
    private static void empty(Path file) {
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE, LinkOption.NOFOLLOW_LINKS)) {
            channel.truncate(0);
        } catch (IOException e) {
            LOG.log(System.Logger.Level.WARNING, "access log " + file + ": cannot be emptied: " + e);
        }
    }

    /** Writes what is waiting and stops; waits at most two seconds. */
    @Override
    public void close() {
        try {
            if (!queue.offer(END, 1, TimeUnit.SECONDS)) {
                thread.interrupt();
            }
            thread.join(1_000);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** The process's standard output, which is not ours to close. */
    private static final class NonClosing extends java.io.FilterOutputStream {
        NonClosing() {
            super(System.out);
        }

        @Override
        public void write(byte[] bytes, int offset, int length) throws IOException {
            out.write(bytes, offset, length);
        }

        @Override
        public void close() throws IOException {
            flush();
        }
    }
}
