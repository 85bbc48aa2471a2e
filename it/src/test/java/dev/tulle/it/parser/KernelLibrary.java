package dev.tulle.it.parser;

import dev.tulle.it.parser.KernelParser.Head;
import dev.tulle.it.parser.KernelParser.Kind;
import dev.tulle.it.parser.KernelParser.Taken;
import dev.tulle.testkit.Command;
import dev.tulle.testkit.MeshLab;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The kernel's parser of heads as a library in this process, compiled into the build directory. One thread. */
final class KernelLibrary {
    /** Bytes of {@code struct taken} in {@code it/equality/heads_library.c}. */
    private static final long TAKEN = 6 * 4 + 8 + 4 * 8;

    private static final int BODY = 24;
    private static final int VALUES = 32;

    private final MethodHandle take;
    private final MemorySegment out = Arena.global().allocate(TAKEN, 8);
    private final MemorySegment in = Arena.global().allocate(1 << 16);

    KernelLibrary() {
        try {
            Path home = MeshLab.home();
            Path library = Files.createDirectories(home.resolve("target/fuzz"))
                    .resolve("heads-" + ProcessHandle.current().pid() + ".so");
            Command.of(
                            KernelParser.compiler(),
                            "-O1",
                            "-g",
                            "-shared",
                            "-fPIC",
                            "-Wall",
                            "-Werror",
                            "-I" + home.resolve("bpf"),
                            "-o",
                            library.toString(),
                            home.resolve("it/equality/heads_library.c").toString())
                    .ok();
            SymbolLookup symbols = SymbolLookup.libraryLookup(library, Arena.global());
            Files.delete(library);
            take = Linker.nativeLinker()
                    .downcallHandle(
                            symbols.findOrThrow("tulle_take"),
                            FunctionDescriptor.ofVoid(
                                    ValueLayout.JAVA_BYTE,
                                    ValueLayout.ADDRESS,
                                    ValueLayout.JAVA_LONG,
                                    ValueLayout.ADDRESS));
        } catch (Exception e) {
            throw new AssertionError("the kernel's parser as a library", e);
        }
    }

    /** What the kernel would take; null: it leaves the head to the proxy. */
    @Nullable
    Taken take(Head head) {
        byte[] bytes = head.bytes();
        MemorySegment.copy(bytes, 0, in, ValueLayout.JAVA_BYTE, 0, bytes.length);
        try {
            take.invokeExact(head.kind().letter(), in, (long) bytes.length, out);
        } catch (Throwable e) {
            throw new AssertionError("the kernel's parser", e);
        }
        if (number(0) != 0) {
            return null;
        }
        List<@Nullable String> values = new ArrayList<>();
        for (int i = 0; i < KernelParser.NAMES.size(); i++) {
            int length = number(VALUES + 8 * i + 4);
            values.add(length == 0 ? null : text(bytes, number(VALUES + 8 * i), length));
        }
        int method = number(4);
        return new Taken(
                head.kind() == Kind.REQUEST ? KernelParser.METHODS.get(method) : "",
                number(8),
                text(bytes, number(12), number(16)),
                out.get(ValueLayout.JAVA_LONG, BODY),
                number(20),
                values);
    }

    private int number(long offset) {
        return out.get(ValueLayout.JAVA_INT, offset);
    }

    private static String text(byte[] bytes, int from, int length) {
        return new String(bytes, from, length, StandardCharsets.ISO_8859_1);
    }
}
