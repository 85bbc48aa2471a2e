package dev.tulle.kernel;

import static dev.tulle.kernel.NativeLibrary.INT;
import static dev.tulle.kernel.NativeLibrary.LONG;
import static dev.tulle.kernel.NativeLibrary.PTR;
import static dev.tulle.kernel.NativeLibrary.unexpected;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;

/** bpf.h, by hand: libbpf's thin wrappers of bpf(2), each with its C prototype. Results are -errno on failure. Any thread. */
final class BpfCalls {
    private static final SymbolLookup LIBRARY = NativeLibrary.libbpf();

    // int bpf_map_update_elem(int fd, const void *key, const void *value, __u64 flags)
    private static final MethodHandle MAP_UPDATE =
            NativeLibrary.handle(LIBRARY, "bpf_map_update_elem", FunctionDescriptor.of(INT, INT, PTR, PTR, LONG));
    // int bpf_map_lookup_elem(int fd, const void *key, void *value)
    private static final MethodHandle MAP_LOOKUP =
            NativeLibrary.handle(LIBRARY, "bpf_map_lookup_elem", FunctionDescriptor.of(INT, INT, PTR, PTR));
    // int bpf_map_delete_elem(int fd, const void *key)
    private static final MethodHandle MAP_DELETE =
            NativeLibrary.handle(LIBRARY, "bpf_map_delete_elem", FunctionDescriptor.of(INT, INT, PTR));
    // int bpf_map_get_next_key(int fd, const void *key, void *next)
    private static final MethodHandle MAP_NEXT_KEY =
            NativeLibrary.handle(LIBRARY, "bpf_map_get_next_key", FunctionDescriptor.of(INT, INT, PTR, PTR));
    // int bpf_map_update_batch(int fd, const void *keys, const void *values, __u32 *count, const void *options)
    private static final MethodHandle MAP_UPDATE_BATCH =
            NativeLibrary.handle(LIBRARY, "bpf_map_update_batch", FunctionDescriptor.of(INT, INT, PTR, PTR, PTR, PTR));
    // int bpf_map_delete_batch(int fd, const void *keys, __u32 *count, const void *options)
    private static final MethodHandle MAP_DELETE_BATCH =
            NativeLibrary.handle(LIBRARY, "bpf_map_delete_batch", FunctionDescriptor.of(INT, INT, PTR, PTR, PTR));
    // int bpf_map_lookup_batch(int fd, void *in, void *out, void *keys, void *values, __u32 *count, const void
    // *options)
    private static final MethodHandle MAP_LOOKUP_BATCH = NativeLibrary.handle(
            LIBRARY, "bpf_map_lookup_batch", FunctionDescriptor.of(INT, INT, PTR, PTR, PTR, PTR, PTR, PTR));
    // int bpf_obj_pin(int fd, const char *path)
    private static final MethodHandle PIN =
            NativeLibrary.handle(LIBRARY, "bpf_obj_pin", FunctionDescriptor.of(INT, INT, PTR));
    // int bpf_obj_get(const char *path)
    private static final MethodHandle GET =
            NativeLibrary.handle(LIBRARY, "bpf_obj_get", FunctionDescriptor.of(INT, PTR));
    // int bpf_obj_get_info_by_fd(int fd, void *info, __u32 *size)
    private static final MethodHandle INFO =
            NativeLibrary.handle(LIBRARY, "bpf_obj_get_info_by_fd", FunctionDescriptor.of(INT, INT, PTR, PTR));
    // int bpf_prog_attach(int program, int target, enum bpf_attach_type type, unsigned int flags)
    private static final MethodHandle ATTACH =
            NativeLibrary.handle(LIBRARY, "bpf_prog_attach", FunctionDescriptor.of(INT, INT, INT, INT, INT));
    // int bpf_prog_detach2(int program, int target, enum bpf_attach_type type)
    private static final MethodHandle DETACH =
            NativeLibrary.handle(LIBRARY, "bpf_prog_detach2", FunctionDescriptor.of(INT, INT, INT, INT));
    // int bpf_prog_query(int target, enum bpf_attach_type type, __u32 flags, __u32 *attach_flags, __u32 *ids, __u32
    // *count)
    private static final MethodHandle QUERY =
            NativeLibrary.handle(LIBRARY, "bpf_prog_query", FunctionDescriptor.of(INT, INT, INT, INT, PTR, PTR, PTR));
    // int bpf_prog_get_fd_by_id(__u32 id)
    private static final MethodHandle PROGRAM_BY_ID =
            NativeLibrary.handle(LIBRARY, "bpf_prog_get_fd_by_id", FunctionDescriptor.of(INT, INT));
    // int bpf_link_create(int program, int target, enum bpf_attach_type type, const void *options)
    private static final MethodHandle LINK_CREATE =
            NativeLibrary.handle(LIBRARY, "bpf_link_create", FunctionDescriptor.of(INT, INT, INT, INT, PTR));
    // int bpf_link_update(int link, int program, const void *options)
    private static final MethodHandle LINK_UPDATE =
            NativeLibrary.handle(LIBRARY, "bpf_link_update", FunctionDescriptor.of(INT, INT, INT, PTR));
    // int bpf_link_detach(int link)
    private static final MethodHandle LINK_DETACH =
            NativeLibrary.handle(LIBRARY, "bpf_link_detach", FunctionDescriptor.of(INT, INT));

    // int bpf_prog_load(enum bpf_prog_type type, const char *name, const char *license, const struct bpf_insn *code,
    // size_t count, struct bpf_prog_load_opts *options)
    private static final MethodHandle PROGRAM_LOAD =
            NativeLibrary.handle(LIBRARY, "bpf_prog_load", FunctionDescriptor.of(INT, INT, PTR, PTR, PTR, LONG, PTR));

    private BpfCalls() {}

    static int programLoad(
            int type,
            MemorySegment name,
            MemorySegment license,
            MemorySegment code,
            long count,
            MemorySegment options) {
        try {
            return (int) PROGRAM_LOAD.invokeExact(type, name, license, code, count, options);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static int mapUpdate(int fd, MemorySegment key, MemorySegment value, long flags) {
        try {
            return (int) MAP_UPDATE.invokeExact(fd, key, value, flags);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static int mapLookup(int fd, MemorySegment key, MemorySegment value) {
        try {
            return (int) MAP_LOOKUP.invokeExact(fd, key, value);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static int mapDelete(int fd, MemorySegment key) {
        try {
            return (int) MAP_DELETE.invokeExact(fd, key);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static int mapNextKey(int fd, MemorySegment key, MemorySegment next) {
        try {
            return (int) MAP_NEXT_KEY.invokeExact(fd, key, next);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static int mapUpdateBatch(
            int fd, MemorySegment keys, MemorySegment values, MemorySegment count, MemorySegment options) {
        try {
            return (int) MAP_UPDATE_BATCH.invokeExact(fd, keys, values, count, options);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static int mapDeleteBatch(int fd, MemorySegment keys, MemorySegment count, MemorySegment options) {
        try {
            return (int) MAP_DELETE_BATCH.invokeExact(fd, keys, count, options);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static int mapLookupBatch(
            int fd,
            MemorySegment in,
            MemorySegment out,
            MemorySegment keys,
            MemorySegment values,
            MemorySegment count,
            MemorySegment options) {
        try {
            return (int) MAP_LOOKUP_BATCH.invokeExact(fd, in, out, keys, values, count, options);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static int pin(int fd, MemorySegment path) {
        try {
            return (int) PIN.invokeExact(fd, path);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static int get(MemorySegment path) {
        try {
            return (int) GET.invokeExact(path);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static int info(int fd, MemorySegment info, MemorySegment size) {
        try {
            return (int) INFO.invokeExact(fd, info, size);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static int attach(int program, int target, int type, int flags) {
        try {
            return (int) ATTACH.invokeExact(program, target, type, flags);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static int detach(int program, int target, int type) {
        try {
            return (int) DETACH.invokeExact(program, target, type);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static int query(
            int target, int type, int flags, MemorySegment attachFlags, MemorySegment ids, MemorySegment count) {
        try {
            return (int) QUERY.invokeExact(target, type, flags, attachFlags, ids, count);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static int programById(int id) {
        try {
            return (int) PROGRAM_BY_ID.invokeExact(id);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static int linkCreate(int program, int target, int type, MemorySegment options) {
        try {
            return (int) LINK_CREATE.invokeExact(program, target, type, options);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static int linkUpdate(int link, int program, MemorySegment options) {
        try {
            return (int) LINK_UPDATE.invokeExact(link, program, options);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static int linkDetach(int link) {
        try {
            return (int) LINK_DETACH.invokeExact(link);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }
}
