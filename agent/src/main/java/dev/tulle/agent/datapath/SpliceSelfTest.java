package dev.tulle.agent.datapath;

import dev.tulle.common.Reason;
import dev.tulle.kernel.TcpDescriptor;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.time.Duration;
import java.util.function.Supplier;

/**
 * Tries one spliced connection: bytes both ways, whole and in order, counted as spliced; FIONREAD and an epoll edge tell
 * of them; a stalled reader holds the writer; both directions close by themselves.
 */
final class SpliceSelfTest {
    /** What a stalled reader may cost, in bytes. */
    private static final int STALLED_MAX = 16 << 20;

    private static final int CHUNK = 64 << 10;
    private static final Duration WAIT = Duration.ofSeconds(1);

    private final SocketChannel near;
    private final SocketChannel far;
    private final Supplier<long[]> counters;
    private long written;
    private long read;

    SpliceSelfTest(SocketChannel near, SocketChannel far, Supplier<long[]> counters) {
        this.near = near;
        this.far = far;
        this.counters = counters;
    }

    void run(SelfTestLog log) throws IOException {
        far.socket().setSoTimeout((int) WAIT.toMillis());
        near.socket().setSoTimeout((int) WAIT.toMillis());
        long before = spliced();
        try (TcpDescriptor reader = TcpDescriptor.of(far)) {
            write(near, CHUNK);
            log.expect("an epoll edge tells of spliced bytes", reader.awaitEdge(WAIT), "no edge within a second");
        }
        log.expect("FIONREAD tells of spliced bytes", available(far), "it says 0 while data waits");
        log.expect("bytes arrive whole", readAll(far, CHUNK), "they differ, or do not come");
        written = 0;
        read = 0;
        write(far, CHUNK);
        log.expect("answers arrive whole", readAll(near, CHUNK), "they differ, or do not come");
        log.expect("bytes skip TCP", spliced() > before, "the kernel counted none");
        if (log.failed()) {
            return;
        }
        stalledReader(log);
        if (!log.failed()) {
            halfClose(log);
        }
    }

    private long spliced() {
        return counters.get()[Reason.SPLICE_BYTES.number()];
    }

    private static byte at(long position) {
        return (byte) (position * 31 + (position >>> 13));
    }

    private ByteBuffer chunk(int size) {
        ByteBuffer bytes = ByteBuffer.allocate(size);
        for (int i = 0; i < size; i++) {
            bytes.put(at(written + i));
        }
        return bytes.flip();
    }

    private void write(SocketChannel channel, int size) throws IOException {
        ByteBuffer bytes = chunk(size);
        while (bytes.hasRemaining()) {
            written += channel.write(bytes);
        }
    }

    private static boolean available(SocketChannel channel) throws IOException {
        InputStream in = channel.socket().getInputStream();
        long deadline = System.nanoTime() + WAIT.toNanos();
        while (in.available() == 0) {
            if (System.nanoTime() > deadline) {
                return false;
            }
            Thread.onSpinWait();
        }
        return true;
    }

    private boolean readAll(SocketChannel channel, long size) throws IOException {
        InputStream in = channel.socket().getInputStream();
        byte[] buffer = new byte[CHUNK];
        long end = read + size;
        while (read < end) {
            int count = in.read(buffer, 0, (int) Math.min(buffer.length, end - read));
            if (count < 0) {
                return false;
            }
            for (int i = 0; i < count; i++) {
                if (buffer[i] != at(read + i)) {
                    return false;
                }
            }
            read += count;
        }
        return true;
    }

    private void stalledReader(SelfTestLog log) throws IOException {
        written = 0;
        read = 0;
        near.configureBlocking(false);
        ByteBuffer pending = chunk(CHUNK);
        long quietSince = System.nanoTime();
        while (written < STALLED_MAX
                && System.nanoTime() - quietSince < Duration.ofMillis(10).toNanos()) {
            int count = near.write(pending);
            if (count > 0) {
                written += count;
                quietSince = System.nanoTime();
            } else {
                Thread.onSpinWait();
            }
            if (!pending.hasRemaining()) {
                pending = chunk(CHUNK);
            }
        }
        near.configureBlocking(true);
        log.expect("a stalled reader holds the writer", written < STALLED_MAX, written + " bytes were taken");
        log.expect("what waited arrives whole", readAll(far, written), "it differs, or does not come");
    }

    private void halfClose(SelfTestLog log) throws IOException {
        near.shutdownOutput();
        log.expect(
                "the end of one direction arrives",
                far.socket().getInputStream().read() < 0,
                "more bytes came");
        written = 0;
        read = 0;
        write(far, 1000);
        far.shutdownOutput();
        log.expect("the other direction goes on", readAll(near, 1000), "its bytes differ, or do not come");
        log.expect("and ends by itself", near.socket().getInputStream().read() < 0, "more bytes came");
    }
}
