package dev.tulle.proxy.tcp;

import dev.tulle.proxy.loop.Joined;
import dev.tulle.proxy.loop.TimerWheel;
import dev.tulle.proxy.loop.Worker;
import io.netty.buffer.ByteBuf;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * What a client has said on a port that does not tell what is spoken, if it had said nothing when its connection was given
 * to the relay: perhaps its server speaks first, perhaps it takes its time. Until either has spoken, both may be.
 * Loop-confined.
 */
final class FirstWords {
    /** How long a beginning that fits both is looked at, as {@link TcpRelay.Other} may never know. */
    private static final long PATIENCE = TimeUnit.MILLISECONDS.toNanos(500);

    private final Worker worker;
    private final TcpRelay.Other other;
    private final Runnable bytesAfterAll;
    private final TimerWheel.Timer timer = new TimerWheel.Timer() {
        @Override
        protected void expired() {
            bytesAfterAll.run();
        }
    };
    private @Nullable ByteBuf said;

    /**
     * Nothing was said yet.
     *
     * @param bytesAfterAll called when it takes too long to tell
     */
    FirstWords(Worker worker, TcpRelay.Other other, Runnable bytesAfterAll) {
        this.worker = worker;
        this.other = other;
        this.bytesAfterAll = bytesAfterAll;
    }

    /** Takes more bytes: true when they are the other protocol, false when not, null when more are needed. */
    @Nullable
    Boolean hear(ByteBuf data) {
        ByteBuf now = Joined.of(worker.allocator(), said, data);
        said = now;
        Boolean known = other.isIt(now);
        if (known == null && !timer.isSet()) {
            worker.timers().set(timer, System.nanoTime() + PATIENCE);
        }
        return known;
    }

    /** Ends the waiting: what was said so far, which now belongs to the caller; null for nothing. */
    @Nullable
    ByteBuf end() {
        worker.timers().remove(timer);
        ByteBuf now = said;
        said = null;
        return now;
    }

    /** Goes on with the other protocol and everything that was said. */
    void handOver() {
        ByteBuf now = end();
        if (now != null) {
            other.take(now);
        }
    }
}
