package dev.tulle.kernel;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Reads one BPF ring buffer. A platform thread of its own waits in the kernel (no wake-ups while nothing happens) and
 * calls the handler for each record, in order; the handler must be quick, since the kernel drops records while the buffer
 * is full. {@link #close} may be called from any thread, also from the handler.
 */
public final class RingBuffer implements AutoCloseable {
    /** Receives records on the ring buffer's thread. */
    @FunctionalInterface
    public interface Handler {
        /** {@code record} is valid during this call only; using it later throws. */
        void onRecord(MemorySegment record);
    }

    private static final StructLayout POLLFD = MemoryLayout.structLayout(
            ValueLayout.JAVA_INT.withName("fd"),
            ValueLayout.JAVA_SHORT.withName("events"),
            ValueLayout.JAVA_SHORT.withName("revents"));
    private static final short POLLIN = 1;
    /** ECANCELED: what the callback answers to end a pass over the buffer early. */
    private static final int STOP = -125;

    private final String what;
    private final Handler handler;
    private final Arena arena = Arena.ofShared();
    private final Fd wake;
    private final MemorySegment ring;
    private final Thread thread;
    private final AtomicBoolean closing = new AtomicBoolean();
    private final AtomicLong records = new AtomicLong();
    private final AtomicLong failures = new AtomicLong();
    private final AtomicReference<@Nullable Throwable> lastFailure = new AtomicReference<>();
    private final long leakId;

    private RingBuffer(BpfMap map, String threadName, Handler handler) {
        this.what = "ring buffer " + map.name();
        this.handler = handler;
        MemorySegment opened = MemorySegment.NULL;
        Fd wakeFd = Fd.own(LibC.eventFd(), what, "cannot make the wake-up descriptor of " + what);
        try {
            MethodHandle target = MethodHandles.lookup()
                    .bind(
                            this,
                            "sample",
                            MethodType.methodType(int.class, MemorySegment.class, MemorySegment.class, long.class));
            MemorySegment stub = Linker.nativeLinker()
                    .upcallStub(
                            target,
                            // int sample(void *context, void *data, size_t size)
                            FunctionDescriptor.of(
                                    NativeLibrary.INT, NativeLibrary.PTR, NativeLibrary.PTR, NativeLibrary.LONG),
                            arena);
            opened = LibBpf.ringBufferNew(
                    map.fd().number(), stub, MemorySegment.NULL, MemorySegment.NULL, "cannot read " + what);
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException(e);
        } finally {
            if (opened.equals(MemorySegment.NULL)) {
                wakeFd.close();
                arena.close();
            }
        }
        this.ring = opened;
        this.wake = wakeFd;
        this.leakId = LeakTracker.opened("ring buffer thread", what);
        this.thread = Thread.ofPlatform().name(threadName).daemon().unstarted(this::run);
    }

    /**
     * Starts reading.
     *
     * @param map of type RINGBUF; may be closed while this reads on
     * @param threadName of the thread that calls the handler
     */
    public static RingBuffer start(BpfMap map, String threadName, Handler handler) {
        Objects.requireNonNull(handler, "handler");
        RingBuffer buffer = new RingBuffer(map, Objects.requireNonNull(threadName, "threadName"), handler);
        buffer.thread.start();
        return buffer;
    }

    /**
     * Starts reading records of one kind, so that the caller sees values and no memory. A record of another size counts
     * as a failure.
     */
    public static <T> RingBuffer start(BpfMap map, String threadName, MapCodec<T> codec, Consumer<? super T> handler) {
        Objects.requireNonNull(codec, "codec");
        Objects.requireNonNull(handler, "handler");
        return start(map, threadName, record -> {
            if (record.byteSize() < codec.size()) {
                throw new LayoutException("a record of " + record.byteSize() + " bytes, expected " + codec.size());
            }
            handler.accept(codec.decode(record));
        });
    }

    /** Records handed to the handler so far. */
    public long records() {
        return records.get();
    }

    /** Handler calls that threw; such a record counts as handled. */
    public long failures() {
        return failures.get();
    }

    /** What the handler threw last, or null. */
    public @Nullable Throwable lastFailure() {
        return lastFailure.get();
    }

    private void run() {
        try {
            while (!closing.get()) {
                waitForRecords();
                if (!closing.get()) {
                    int consumed = LibBpf.ringBufferConsume(ring);
                    if (consumed < 0 && consumed != -Errno.EINTR && consumed != STOP) {
                        failed(new BpfException("cannot read " + what, -consumed));
                    }
                }
            }
        } catch (RuntimeException e) {
            failed(e);
        } finally {
            // Only this thread uses the ring, so it alone may free it; the stub goes after its last caller.
            LibBpf.ringBufferFree(ring);
            arena.close();
            synchronized (wake) {
                wake.close();
            }
            LeakTracker.closed(leakId);
        }
    }

    private void waitForRecords() {
        try (Arena frame = Arena.ofConfined()) {
            MemorySegment descriptors = frame.allocate(POLLFD, 2);
            descriptors.set(ValueLayout.JAVA_INT, 0, LibBpf.ringBufferEpollFd(ring));
            descriptors.set(ValueLayout.JAVA_SHORT, 4, POLLIN);
            descriptors.set(ValueLayout.JAVA_INT, POLLFD.byteSize(), wake.number());
            descriptors.set(ValueLayout.JAVA_SHORT, POLLFD.byteSize() + 4, POLLIN);
            int ready = LibC.poll(descriptors, 2, -1);
            if (ready < 0 && ready != -Errno.EINTR) {
                throw new BpfException("cannot wait for " + what, -ready);
            }
        }
    }

    /** Called by libbpf for each record. Whatever happens is kept here: nothing may leave an upcall. */
    int sample(MemorySegment unusedContext, MemorySegment data, long size) {
        try (Arena call = Arena.ofConfined()) {
            records.incrementAndGet();
            handler.onRecord(data.reinterpret(size, call, null).asReadOnly());
        } catch (Throwable t) {
            failed(t);
        }
        return closing.get() ? STOP : 0;
    }

    private void failed(Throwable t) {
        failures.incrementAndGet();
        lastFailure.set(t);
    }

    /** Stops the thread, waits for it unless called on it, and frees everything. Records not read are lost. */
    @Override
    public void close() {
        if (closing.compareAndSet(false, true)) {
            synchronized (wake) {
                if (wake.isOpen()) { // else the thread has ended by itself
                    wake();
                }
            }
        }
        if (Thread.currentThread() != thread) {
            boolean interrupted = false;
            while (true) {
                try {
                    thread.join();
                    break;
                } catch (InterruptedException e) {
                    interrupted = true; // the thread ends at once; the caller hears of it afterwards
                }
            }
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    private void wake() {
        try (Arena frame = Arena.ofConfined()) {
            long written = LibC.write(wake.number(), frame.allocateFrom(ValueLayout.JAVA_LONG, 1L));
            if (written < 0) {
                throw new BpfException("cannot wake the thread of " + what, (int) -written);
            }
        }
    }

    @Override
    public String toString() {
        return what;
    }
}
