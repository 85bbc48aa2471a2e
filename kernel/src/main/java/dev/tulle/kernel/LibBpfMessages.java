package dev.tulle.kernel;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * libbpf's warnings, which it would print to the error stream: collected for the thread that made the call, dropped
 * otherwise. The callback is one per process and stays installed, so its stub lives in the global arena.
 */
final class LibBpfMessages {
    private static final int LEVEL_DEBUG = 2;
    private static final int LENGTH_MAX = 4096;
    private static final int COUNT_MAX = 256;
    /** A native call runs on the thread that made it, so the collector of that thread is the caller's. */
    private static final ThreadLocal<@Nullable List<String>> COLLECTOR = new ThreadLocal<>();

    private static final AtomicLong FAILURES = new AtomicLong();

    static {
        try {
            MemorySegment stub = Linker.nativeLinker()
                    .upcallStub(
                            MethodHandles.lookup()
                                    .findStatic(
                                            LibBpfMessages.class,
                                            "print",
                                            MethodType.methodType(
                                                    int.class, int.class, MemorySegment.class, MemorySegment.class)),
                            FunctionDescriptor.of(
                                    NativeLibrary.INT, NativeLibrary.INT, NativeLibrary.PTR, NativeLibrary.PTR),
                            Arena.global());
            MemorySegment previous = LibBpf.setPrint(stub);
            assert previous != null;
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException("the print callback is missing", e);
        }
    }

    private LibBpfMessages() {}

    /** Runs {@code call} and adds what libbpf says meanwhile to {@code messages}. */
    static <T> T collect(List<String> messages, Supplier<T> call) {
        COLLECTOR.set(messages);
        try {
            return call.get();
        } finally {
            COLLECTOR.remove();
        }
    }

    /** Called by libbpf: int print(enum libbpf_print_level level, const char *format, va_list arguments). */
    static int print(int level, MemorySegment format, MemorySegment arguments) {
        try {
            List<String> messages = COLLECTOR.get();
            if (level >= LEVEL_DEBUG || messages == null || messages.size() >= COUNT_MAX) {
                return 0;
            }
            try (Arena arena = Arena.ofConfined()) {
                MemorySegment text = arena.allocate(LENGTH_MAX);
                int length = LibC.format(text, format, arguments);
                messages.add(text.getString(0).strip());
                return length;
            }
        } catch (Throwable t) {
            FAILURES.incrementAndGet(); // an exception that left an upcall would end the process
            return 0;
        }
    }

    /** A fresh list for one call. */
    static List<String> list() {
        return new ArrayList<>();
    }
}
