package dev.tulle.kernel;

import static dev.tulle.kernel.NativeLibrary.INT;
import static dev.tulle.kernel.NativeLibrary.LONG;
import static dev.tulle.kernel.NativeLibrary.PTR;
import static dev.tulle.kernel.NativeLibrary.unexpected;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;

/** The bpf_tc_* functions of libbpf.h, by hand, each with its C prototype. Results are -errno on failure. Any thread. */
final class TcCalls {
    /** enum bpf_tc_attach_point. */
    static final int INGRESS = 1;

    static final int EGRESS = 2;

    /** enum bpf_tc_flags. */
    static final int REPLACE = 1;

    // struct bpf_tc_hook { size_t sz; int ifindex; enum bpf_tc_attach_point attach_point; __u32 parent; size_t :0; }
    private static final StructLayout HOOK = MemoryLayout.structLayout(
            LONG.withName("sz"),
            INT.withName("ifindex"),
            INT.withName("attach_point"),
            INT.withName("parent"),
            MemoryLayout.paddingLayout(4));
    // struct bpf_tc_opts { size_t sz; int prog_fd; __u32 flags; __u32 prog_id; __u32 handle; __u32 priority; size_t :0;
    // }
    private static final StructLayout OPTIONS = MemoryLayout.structLayout(
            LONG.withName("sz"),
            INT.withName("prog_fd"),
            INT.withName("flags"),
            INT.withName("prog_id"),
            INT.withName("handle"),
            INT.withName("priority"),
            MemoryLayout.paddingLayout(4));

    private static final SymbolLookup LIBRARY = NativeLibrary.libbpf();

    // int bpf_tc_hook_create(struct bpf_tc_hook *hook)
    private static final MethodHandle HOOK_CREATE =
            NativeLibrary.handle(LIBRARY, "bpf_tc_hook_create", FunctionDescriptor.of(INT, PTR));
    // int bpf_tc_hook_destroy(struct bpf_tc_hook *hook)
    private static final MethodHandle HOOK_DESTROY =
            NativeLibrary.handle(LIBRARY, "bpf_tc_hook_destroy", FunctionDescriptor.of(INT, PTR));
    // int bpf_tc_attach(const struct bpf_tc_hook *hook, struct bpf_tc_opts *opts)
    private static final MethodHandle ATTACH =
            NativeLibrary.handle(LIBRARY, "bpf_tc_attach", FunctionDescriptor.of(INT, PTR, PTR));
    // int bpf_tc_detach(const struct bpf_tc_hook *hook, const struct bpf_tc_opts *opts)
    private static final MethodHandle DETACH =
            NativeLibrary.handle(LIBRARY, "bpf_tc_detach", FunctionDescriptor.of(INT, PTR, PTR));
    // int bpf_tc_query(const struct bpf_tc_hook *hook, struct bpf_tc_opts *opts)
    private static final MethodHandle QUERY =
            NativeLibrary.handle(LIBRARY, "bpf_tc_query", FunctionDescriptor.of(INT, PTR, PTR));

    private TcCalls() {}

    static MemorySegment hook(Arena arena, int index, int points) {
        MemorySegment hook = arena.allocate(HOOK);
        hook.set(LONG, 0, HOOK.byteSize());
        put(hook, HOOK, "ifindex", index);
        put(hook, HOOK, "attach_point", points);
        return hook;
    }

    static MemorySegment options(Arena arena, int program, int flags, int handle, int priority) {
        MemorySegment options = arena.allocate(OPTIONS);
        options.set(LONG, 0, OPTIONS.byteSize());
        put(options, OPTIONS, "prog_fd", program);
        put(options, OPTIONS, "flags", flags);
        put(options, OPTIONS, "handle", handle);
        put(options, OPTIONS, "priority", priority);
        return options;
    }

    static int programId(MemorySegment options) {
        return options.get(INT, OPTIONS.byteOffset(PathElement.groupElement("prog_id")));
    }

    private static void put(MemorySegment struct, StructLayout layout, String field, int value) {
        struct.set(INT, layout.byteOffset(PathElement.groupElement(field)), value);
    }

    static int hookCreate(MemorySegment hook) {
        try {
            return (int) HOOK_CREATE.invokeExact(hook);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static int hookDestroy(MemorySegment hook) {
        try {
            return (int) HOOK_DESTROY.invokeExact(hook);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static int attach(MemorySegment hook, MemorySegment options) {
        try {
            return (int) ATTACH.invokeExact(hook, options);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static int detach(MemorySegment hook, MemorySegment options) {
        try {
            return (int) DETACH.invokeExact(hook, options);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static int query(MemorySegment hook, MemorySegment options) {
        try {
            return (int) QUERY.invokeExact(hook, options);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }
}
