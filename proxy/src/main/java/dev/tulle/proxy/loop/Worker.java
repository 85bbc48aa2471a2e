package dev.tulle.proxy.loop;

import io.netty.buffer.ByteBufAllocator;
import io.netty.channel.EventLoop;
import io.netty.channel.RecvByteBufAllocator;
import io.netty.util.concurrent.ScheduledFuture;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** What the connections of one event loop share. Loop-confined, but for {@link #loop}. */
// A failed write or close reaches the handlers by itself.
@SuppressWarnings("FutureReturnValueIgnored")
public final class Worker {
    private final EventLoop loop;
    private final ByteBufAllocator allocator;
    private final TimerWheel timers = new TimerWheel(System::nanoTime, this::wakeAt);
    private final LoopReadBuffer readBuffer;
    private final RecvByteBufAllocator readOption;
    private final ByteSink sink = new ByteSink();
    private final SplittableRandom random = new SplittableRandom();
    private @Nullable ScheduledFuture<?> waking;
    private boolean stopped;

    /** For a loop. */
    public Worker(EventLoop loop, ByteBufAllocator allocator) {
        this.loop = loop;
        this.allocator = allocator;
        this.readBuffer = new LoopReadBuffer(allocator);
        this.readOption = readBuffer.option();
    }

    private void wakeAt(long nanos) {
        ScheduledFuture<?> before = waking;
        if (before != null) {
            before.cancel(false);
        }
        if (!stopped) {
            waking = loop.schedule(timers::advance, nanos - System.nanoTime(), TimeUnit.NANOSECONDS);
        }
    }

    /** Stops the clock and gives the read buffer back; on the loop, after all connections are closed. */
    public void stop() {
        if (stopped) {
            return;
        }
        stopped = true;
        ScheduledFuture<?> next = waking;
        if (next != null) {
            next.cancel(false);
            waking = null;
        }
        readBuffer.release();
    }

    /** The loop. */
    public EventLoop loop() {
        return loop;
    }

    /** The allocator of all channels. */
    public ByteBufAllocator allocator() {
        return allocator;
    }

    /** Deadlines. */
    public TimerWheel timers() {
        return timers;
    }

    /** How channels of this loop get their read buffers. */
    public RecvByteBufAllocator readOption() {
        return readOption;
    }

    /** An empty sink to put a head together in; whoever takes it uses it up before anyone else can. */
    public ByteSink sink() {
        return sink.clear();
    }

    /** Chance. */
    public SplittableRandom random() {
        return random;
    }
}
