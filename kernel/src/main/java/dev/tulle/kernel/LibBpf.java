package dev.tulle.kernel;

import static dev.tulle.kernel.NativeLibrary.INT;
import static dev.tulle.kernel.NativeLibrary.LONG;
import static dev.tulle.kernel.NativeLibrary.PTR;
import static dev.tulle.kernel.NativeLibrary.unexpected;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;

/**
 * libbpf.h and btf.h, by hand: each function with its C prototype. Int results are -errno on failure; pointer results that
 * can be NULL throw {@link BpfException} with the errno and the caller's {@code action}. Any thread, except that one object
 * is used by one thread at a time.
 */
final class LibBpf {
    private static final SymbolLookup LIBRARY = NativeLibrary.libbpf();

    // struct bpf_object *bpf_object__open(const char *path)
    private static final MethodHandle OBJECT_OPEN = NativeLibrary.handle(
            LIBRARY, "bpf_object__open", FunctionDescriptor.of(PTR, PTR), Linker.Option.captureCallState("errno"));
    // int bpf_object__load(struct bpf_object *object)
    private static final MethodHandle OBJECT_LOAD =
            NativeLibrary.handle(LIBRARY, "bpf_object__load", FunctionDescriptor.of(INT, PTR));
    // void bpf_object__close(struct bpf_object *object)
    private static final MethodHandle OBJECT_CLOSE =
            NativeLibrary.handle(LIBRARY, "bpf_object__close", FunctionDescriptor.ofVoid(PTR));
    // struct bpf_program *bpf_object__next_program(const struct bpf_object *object, struct bpf_program *previous)
    private static final MethodHandle NEXT_PROGRAM =
            NativeLibrary.handle(LIBRARY, "bpf_object__next_program", FunctionDescriptor.of(PTR, PTR, PTR));
    // struct bpf_map *bpf_object__next_map(const struct bpf_object *object, const struct bpf_map *previous)
    private static final MethodHandle NEXT_MAP =
            NativeLibrary.handle(LIBRARY, "bpf_object__next_map", FunctionDescriptor.of(PTR, PTR, PTR));
    // struct btf *bpf_object__btf(const struct bpf_object *object)
    private static final MethodHandle OBJECT_BTF =
            NativeLibrary.handle(LIBRARY, "bpf_object__btf", FunctionDescriptor.of(PTR, PTR));
    // const char *bpf_program__name(const struct bpf_program *program)
    private static final MethodHandle PROGRAM_NAME =
            NativeLibrary.handle(LIBRARY, "bpf_program__name", FunctionDescriptor.of(PTR, PTR));
    // const char *bpf_program__section_name(const struct bpf_program *program)
    private static final MethodHandle PROGRAM_SECTION =
            NativeLibrary.handle(LIBRARY, "bpf_program__section_name", FunctionDescriptor.of(PTR, PTR));
    // enum bpf_prog_type bpf_program__type(const struct bpf_program *program)
    private static final MethodHandle PROGRAM_TYPE =
            NativeLibrary.handle(LIBRARY, "bpf_program__type", FunctionDescriptor.of(INT, PTR));
    // enum bpf_attach_type bpf_program__expected_attach_type(const struct bpf_program *program)
    private static final MethodHandle PROGRAM_ATTACH_TYPE =
            NativeLibrary.handle(LIBRARY, "bpf_program__expected_attach_type", FunctionDescriptor.of(INT, PTR));
    // size_t bpf_program__insn_cnt(const struct bpf_program *program)
    private static final MethodHandle PROGRAM_INSTRUCTIONS =
            NativeLibrary.handle(LIBRARY, "bpf_program__insn_cnt", FunctionDescriptor.of(LONG, PTR));
    // bool bpf_program__autoload(const struct bpf_program *program)
    private static final MethodHandle PROGRAM_AUTOLOAD = NativeLibrary.handle(
            LIBRARY, "bpf_program__autoload", FunctionDescriptor.of(ValueLayout.JAVA_BOOLEAN, PTR));
    // int bpf_program__set_autoload(struct bpf_program *program, bool on)
    private static final MethodHandle SET_AUTOLOAD = NativeLibrary.handle(
            LIBRARY, "bpf_program__set_autoload", FunctionDescriptor.of(INT, PTR, ValueLayout.JAVA_BOOLEAN));
    // int bpf_program__set_log_buf(struct bpf_program *program, char *log, size_t size)
    private static final MethodHandle SET_LOG_BUFFER =
            NativeLibrary.handle(LIBRARY, "bpf_program__set_log_buf", FunctionDescriptor.of(INT, PTR, PTR, LONG));
    // int bpf_program__fd(const struct bpf_program *program)
    private static final MethodHandle PROGRAM_FD =
            NativeLibrary.handle(LIBRARY, "bpf_program__fd", FunctionDescriptor.of(INT, PTR));
    // const char *bpf_map__name(const struct bpf_map *map)
    private static final MethodHandle MAP_NAME =
            NativeLibrary.handle(LIBRARY, "bpf_map__name", FunctionDescriptor.of(PTR, PTR));
    // int bpf_map__fd(const struct bpf_map *map)
    private static final MethodHandle MAP_FD =
            NativeLibrary.handle(LIBRARY, "bpf_map__fd", FunctionDescriptor.of(INT, PTR));
    // enum bpf_map_type bpf_map__type(const struct bpf_map *map)
    private static final MethodHandle MAP_TYPE =
            NativeLibrary.handle(LIBRARY, "bpf_map__type", FunctionDescriptor.of(INT, PTR));
    // __u32 bpf_map__key_size(const struct bpf_map *map)
    private static final MethodHandle MAP_KEY_SIZE =
            NativeLibrary.handle(LIBRARY, "bpf_map__key_size", FunctionDescriptor.of(INT, PTR));
    // __u32 bpf_map__value_size(const struct bpf_map *map)
    private static final MethodHandle MAP_VALUE_SIZE =
            NativeLibrary.handle(LIBRARY, "bpf_map__value_size", FunctionDescriptor.of(INT, PTR));
    // __u32 bpf_map__max_entries(const struct bpf_map *map)
    private static final MethodHandle MAP_MAX_ENTRIES =
            NativeLibrary.handle(LIBRARY, "bpf_map__max_entries", FunctionDescriptor.of(INT, PTR));
    // __u32 bpf_map__map_flags(const struct bpf_map *map)
    private static final MethodHandle MAP_FLAGS =
            NativeLibrary.handle(LIBRARY, "bpf_map__map_flags", FunctionDescriptor.of(INT, PTR));
    // __u32 bpf_map__btf_key_type_id(const struct bpf_map *map)
    private static final MethodHandle MAP_KEY_TYPE_ID =
            NativeLibrary.handle(LIBRARY, "bpf_map__btf_key_type_id", FunctionDescriptor.of(INT, PTR));
    // __u32 bpf_map__btf_value_type_id(const struct bpf_map *map)
    private static final MethodHandle MAP_VALUE_TYPE_ID =
            NativeLibrary.handle(LIBRARY, "bpf_map__btf_value_type_id", FunctionDescriptor.of(INT, PTR));
    // bool bpf_map__is_internal(const struct bpf_map *map)
    private static final MethodHandle MAP_INTERNAL =
            NativeLibrary.handle(LIBRARY, "bpf_map__is_internal", FunctionDescriptor.of(ValueLayout.JAVA_BOOLEAN, PTR));
    // int bpf_map__set_max_entries(struct bpf_map *map, __u32 entries)
    private static final MethodHandle SET_MAX_ENTRIES =
            NativeLibrary.handle(LIBRARY, "bpf_map__set_max_entries", FunctionDescriptor.of(INT, PTR, INT));
    // int bpf_map__reuse_fd(struct bpf_map *map, int fd)
    private static final MethodHandle REUSE_FD =
            NativeLibrary.handle(LIBRARY, "bpf_map__reuse_fd", FunctionDescriptor.of(INT, PTR, INT));
    // const void *btf__raw_data(const struct btf *btf, __u32 *size)
    private static final MethodHandle BTF_RAW_DATA =
            NativeLibrary.handle(LIBRARY, "btf__raw_data", FunctionDescriptor.of(PTR, PTR, PTR));
    // struct btf *btf__load_from_kernel_by_id(__u32 id)
    private static final MethodHandle BTF_FROM_KERNEL = NativeLibrary.handle(
            LIBRARY,
            "btf__load_from_kernel_by_id",
            FunctionDescriptor.of(PTR, INT),
            Linker.Option.captureCallState("errno"));
    // void btf__free(struct btf *btf)
    private static final MethodHandle BTF_FREE =
            NativeLibrary.handle(LIBRARY, "btf__free", FunctionDescriptor.ofVoid(PTR));
    // struct ring_buffer *ring_buffer__new(int map, ring_buffer_sample_fn callback, void *context, const void *options)
    private static final MethodHandle RING_BUFFER_NEW = NativeLibrary.handle(
            LIBRARY,
            "ring_buffer__new",
            FunctionDescriptor.of(PTR, INT, PTR, PTR, PTR),
            Linker.Option.captureCallState("errno"));
    // int ring_buffer__consume(struct ring_buffer *ring)
    private static final MethodHandle RING_BUFFER_CONSUME =
            NativeLibrary.handle(LIBRARY, "ring_buffer__consume", FunctionDescriptor.of(INT, PTR));
    // int ring_buffer__epoll_fd(const struct ring_buffer *ring)
    private static final MethodHandle RING_BUFFER_EPOLL_FD =
            NativeLibrary.handle(LIBRARY, "ring_buffer__epoll_fd", FunctionDescriptor.of(INT, PTR));
    // void ring_buffer__free(struct ring_buffer *ring)
    private static final MethodHandle RING_BUFFER_FREE =
            NativeLibrary.handle(LIBRARY, "ring_buffer__free", FunctionDescriptor.ofVoid(PTR));
    // int libbpf_probe_bpf_prog_type(enum bpf_prog_type type, const void *options)
    private static final MethodHandle PROBE_PROGRAM_TYPE =
            NativeLibrary.handle(LIBRARY, "libbpf_probe_bpf_prog_type", FunctionDescriptor.of(INT, INT, PTR));
    // int libbpf_probe_bpf_map_type(enum bpf_map_type type, const void *options)
    private static final MethodHandle PROBE_MAP_TYPE =
            NativeLibrary.handle(LIBRARY, "libbpf_probe_bpf_map_type", FunctionDescriptor.of(INT, INT, PTR));
    // int libbpf_num_possible_cpus(void)
    private static final MethodHandle POSSIBLE_CPUS =
            NativeLibrary.handle(LIBRARY, "libbpf_num_possible_cpus", FunctionDescriptor.of(INT));
    // const char *libbpf_version_string(void)
    private static final MethodHandle VERSION =
            NativeLibrary.handle(LIBRARY, "libbpf_version_string", FunctionDescriptor.of(PTR));
    // libbpf_print_fn_t libbpf_set_print(libbpf_print_fn_t function)
    private static final MethodHandle SET_PRINT =
            NativeLibrary.handle(LIBRARY, "libbpf_set_print", FunctionDescriptor.of(PTR, PTR));

    private LibBpf() {}

    static MemorySegment objectOpen(MemorySegment path, String action) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment state = NativeLibrary.stateIn(arena);
            MemorySegment result = (MemorySegment) OBJECT_OPEN.invokeExact(state, path);
            if (result.equals(MemorySegment.NULL)) {
                throw new BpfException(action, NativeLibrary.errno(state));
            }
            return result;
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static int objectLoad(MemorySegment object) {
        try {
            return (int) OBJECT_LOAD.invokeExact(object);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static void objectClose(MemorySegment object) {
        try {
            OBJECT_CLOSE.invokeExact(object);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static MemorySegment nextProgram(MemorySegment object, MemorySegment previous) {
        try {
            return (MemorySegment) NEXT_PROGRAM.invokeExact(object, previous);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static MemorySegment nextMap(MemorySegment object, MemorySegment previous) {
        try {
            return (MemorySegment) NEXT_MAP.invokeExact(object, previous);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static MemorySegment objectBtf(MemorySegment object) {
        try {
            return (MemorySegment) OBJECT_BTF.invokeExact(object);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static MemorySegment programName(MemorySegment program) {
        try {
            return (MemorySegment) PROGRAM_NAME.invokeExact(program);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static MemorySegment programSection(MemorySegment program) {
        try {
            return (MemorySegment) PROGRAM_SECTION.invokeExact(program);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static int programType(MemorySegment program) {
        try {
            return (int) PROGRAM_TYPE.invokeExact(program);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static int programAttachType(MemorySegment program) {
        try {
            return (int) PROGRAM_ATTACH_TYPE.invokeExact(program);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static long programInstructions(MemorySegment program) {
        try {
            return (long) PROGRAM_INSTRUCTIONS.invokeExact(program);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static boolean programAutoload(MemorySegment program) {
        try {
            return (boolean) PROGRAM_AUTOLOAD.invokeExact(program);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static int setAutoload(MemorySegment program, boolean on) {
        try {
            return (int) SET_AUTOLOAD.invokeExact(program, on);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static int setLogBuffer(MemorySegment program, MemorySegment log, long size) {
        try {
            return (int) SET_LOG_BUFFER.invokeExact(program, log, size);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static int programFd(MemorySegment program) {
        try {
            return (int) PROGRAM_FD.invokeExact(program);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static MemorySegment mapName(MemorySegment map) {
        try {
            return (MemorySegment) MAP_NAME.invokeExact(map);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static int mapFd(MemorySegment map) {
        try {
            return (int) MAP_FD.invokeExact(map);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static int mapType(MemorySegment map) {
        try {
            return (int) MAP_TYPE.invokeExact(map);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static int mapKeySize(MemorySegment map) {
        try {
            return (int) MAP_KEY_SIZE.invokeExact(map);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static int mapValueSize(MemorySegment map) {
        try {
            return (int) MAP_VALUE_SIZE.invokeExact(map);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static int mapMaxEntries(MemorySegment map) {
        try {
            return (int) MAP_MAX_ENTRIES.invokeExact(map);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static int mapFlags(MemorySegment map) {
        try {
            return (int) MAP_FLAGS.invokeExact(map);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static int mapKeyTypeId(MemorySegment map) {
        try {
            return (int) MAP_KEY_TYPE_ID.invokeExact(map);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static int mapValueTypeId(MemorySegment map) {
        try {
            return (int) MAP_VALUE_TYPE_ID.invokeExact(map);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static boolean mapInternal(MemorySegment map) {
        try {
            return (boolean) MAP_INTERNAL.invokeExact(map);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static int setMaxEntries(MemorySegment map, int entries) {
        try {
            return (int) SET_MAX_ENTRIES.invokeExact(map, entries);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static int reuseFd(MemorySegment map, int fd) {
        try {
            return (int) REUSE_FD.invokeExact(map, fd);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static MemorySegment btfRawData(MemorySegment btf, MemorySegment size) {
        try {
            return (MemorySegment) BTF_RAW_DATA.invokeExact(btf, size);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static MemorySegment btfFromKernel(int id, String action) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment state = NativeLibrary.stateIn(arena);
            MemorySegment result = (MemorySegment) BTF_FROM_KERNEL.invokeExact(state, id);
            if (result.equals(MemorySegment.NULL)) {
                throw new BpfException(action, NativeLibrary.errno(state));
            }
            return result;
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static void btfFree(MemorySegment btf) {
        try {
            BTF_FREE.invokeExact(btf);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static MemorySegment ringBufferNew(
            int map, MemorySegment callback, MemorySegment context, MemorySegment options, String action) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment state = NativeLibrary.stateIn(arena);
            MemorySegment result = (MemorySegment) RING_BUFFER_NEW.invokeExact(state, map, callback, context, options);
            if (result.equals(MemorySegment.NULL)) {
                throw new BpfException(action, NativeLibrary.errno(state));
            }
            return result;
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static int ringBufferConsume(MemorySegment ring) {
        try {
            return (int) RING_BUFFER_CONSUME.invokeExact(ring);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static int ringBufferEpollFd(MemorySegment ring) {
        try {
            return (int) RING_BUFFER_EPOLL_FD.invokeExact(ring);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static void ringBufferFree(MemorySegment ring) {
        try {
            RING_BUFFER_FREE.invokeExact(ring);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static int probeProgramType(int type, MemorySegment options) {
        try {
            return (int) PROBE_PROGRAM_TYPE.invokeExact(type, options);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static int probeMapType(int type, MemorySegment options) {
        try {
            return (int) PROBE_MAP_TYPE.invokeExact(type, options);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static int possibleCpus() {
        try {
            return (int) POSSIBLE_CPUS.invokeExact();
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static MemorySegment version() {
        try {
            return (MemorySegment) VERSION.invokeExact();
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static MemorySegment setPrint(MemorySegment function) {
        try {
            return (MemorySegment) SET_PRINT.invokeExact(function);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }
}
