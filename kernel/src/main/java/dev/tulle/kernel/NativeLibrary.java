package dev.tulle.kernel;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.VarHandle;

/** Where native symbols come from, and how their handles are made. The look-up uses the global arena; nothing else may. */
final class NativeLibrary {
    /** Overrides the library's file name, for hosts that keep libbpf elsewhere. Default: libbpf.so.1. */
    static final String PATH_PROPERTY = "tulle.libbpf";

    private static final String DEFAULT_NAME = "libbpf.so.1";
    private static final StructLayout STATE = Linker.Option.captureStateLayout();
    private static final VarHandle ERRNO = STATE.varHandle(MemoryLayout.PathElement.groupElement("errno"));

    private NativeLibrary() {}

    /** libbpf's symbols. Throws {@link BpfException} with the reason when the library is missing. */
    static SymbolLookup libbpf() {
        String name = System.getProperty(PATH_PROPERTY, DEFAULT_NAME);
        try {
            return SymbolLookup.libraryLookup(name, Arena.global());
        } catch (IllegalArgumentException e) {
            BpfException missing = new BpfException("cannot open the library " + name
                    + ": install libbpf 1.x (Debian: libbpf1) or set -D" + PATH_PROPERTY + "=FILE");
            missing.initCause(e);
            throw missing;
        }
    }

    static MethodHandle handle(SymbolLookup library, String name, FunctionDescriptor type, Linker.Option... options) {
        MemorySegment symbol = library.find(name)
                .orElseThrow(
                        () -> new BpfException("libbpf has no function " + name + ": version 1.0 or newer is needed"));
        return Linker.nativeLinker().downcallHandle(symbol, type, options);
    }

    /** Room for the errno of a call made with {@link Linker.Option#captureCallState}. */
    static MemorySegment stateIn(Arena arena) {
        return arena.allocate(STATE);
    }

    /** The captured errno; meaningful only if the call's return value says that it failed. */
    static int errno(MemorySegment state) {
        return (int) ERRNO.get(state, 0L);
    }

    /** A NUL-terminated string at a native address that Java knows no size of; "" for NULL. */
    static String string(MemorySegment address) {
        if (address.equals(MemorySegment.NULL)) {
            return "";
        }
        return address.reinterpret(Integer.MAX_VALUE).getString(0);
    }

    /** Wraps what invokeExact declares to throw; only a bug in the bindings gets here. */
    static RuntimeException unexpected(Throwable thrown) {
        if (thrown instanceof RuntimeException e) {
            return e;
        }
        if (thrown instanceof Error e) {
            throw e;
        }
        return new IllegalStateException("native call failed", thrown);
    }

    static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT;
    static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG;
    static final ValueLayout PTR = ValueLayout.ADDRESS;
}
