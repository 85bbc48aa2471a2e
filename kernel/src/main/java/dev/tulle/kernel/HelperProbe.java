package dev.tulle.kernel;

import java.lang.foreign.Arena;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.lang.foreign.ValueLayout;
import java.util.List;

/**
 * Tries a helper by loading a program of two instructions, a call of it and exit, and reading why it is refused: any reason
 * but "no such helper here" means that the helper is there. libbpf's own probe is not used: before 1.5 it does not know
 * the words of newer kernels ("program of this type cannot use helper") and answers yes to everything.
 */
final class HelperProbe {
    private static final int LOG_SIZE = 4096;
    private static final int BPF_CALL = 0x85;
    private static final int BPF_EXIT = 0x95;

    /** struct bpf_prog_load_opts, in the order of bpf/bpf.h; {@code sz} says how far this knows it. */
    private static final StructLayout OPTIONS = MemoryLayout.structLayout(
            ValueLayout.JAVA_LONG.withName("sz"),
            ValueLayout.JAVA_INT.withName("attempts"),
            ValueLayout.JAVA_INT.withName("expected_attach_type"),
            ValueLayout.JAVA_INT.withName("prog_btf_fd"),
            ValueLayout.JAVA_INT.withName("prog_flags"),
            ValueLayout.JAVA_INT.withName("prog_ifindex"),
            ValueLayout.JAVA_INT.withName("kern_version"),
            ValueLayout.JAVA_INT.withName("attach_btf_id"),
            ValueLayout.JAVA_INT.withName("attach_prog_fd"),
            ValueLayout.JAVA_INT.withName("attach_btf_obj_fd"),
            MemoryLayout.paddingLayout(4),
            ValueLayout.ADDRESS.withName("fd_array"),
            ValueLayout.ADDRESS.withName("func_info"),
            ValueLayout.JAVA_INT.withName("func_info_cnt"),
            ValueLayout.JAVA_INT.withName("func_info_rec_size"),
            ValueLayout.ADDRESS.withName("line_info"),
            ValueLayout.JAVA_INT.withName("line_info_cnt"),
            ValueLayout.JAVA_INT.withName("line_info_rec_size"),
            ValueLayout.JAVA_INT.withName("log_level"),
            ValueLayout.JAVA_INT.withName("log_size"),
            ValueLayout.ADDRESS.withName("log_buf"));

    private HelperProbe() {}

    static Feature probe(ProgramType type, Helper helper) {
        String name = "helper " + helper.function() + " in " + type;
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment log = arena.allocate(LOG_SIZE);
            MemorySegment code = arena.allocate(16, 8);
            code.set(ValueLayout.JAVA_BYTE, 0, (byte) BPF_CALL);
            code.set(ValueLayout.JAVA_INT, 4, helper.number());
            code.set(ValueLayout.JAVA_BYTE, 8, (byte) BPF_EXIT);
            MemorySegment options = arena.allocate(OPTIONS);
            options.set(ValueLayout.JAVA_LONG, 0, OPTIONS.byteSize());
            set(options, "expected_attach_type", hook(type));
            set(options, "log_level", 1);
            set(options, "log_size", LOG_SIZE);
            options.set(ValueLayout.ADDRESS, OPTIONS.byteOffset(PathElement.groupElement("log_buf")), log);
            int result = BpfCalls.programLoad(
                    type.number(), MemorySegment.NULL, arena.allocateFrom("GPL"), code, 2, options);
            if (result >= 0) {
                Fd.own(result, name, name).close();
                return Feature.of(name, true, "the kernel accepted it");
            }
            return judge(name, log.getString(0), -result);
        }
    }

    static Feature judge(String name, String log, int errno) {
        if (log.isBlank()) {
            return Feature.of(name, false, "could not be tried: " + Errno.describe(errno));
        }
        VerifierLog.Verdict verdict = VerifierLog.classify(log, List.of(), errno);
        boolean missing = verdict.cause() == VerifierLog.Cause.HELPER;
        return Feature.of(name, !missing, missing ? verdict.summary() : "the kernel knows it here");
    }

    /** Some kinds offer a helper at some hooks only; these are the ones that the mesh uses. */
    private static int hook(ProgramType type) {
        return switch (type) {
            case CGROUP_SOCK_ADDR -> AttachType.CGROUP_INET4_CONNECT.number();
            case CGROUP_SOCKOPT -> AttachType.CGROUP_GETSOCKOPT.number();
            case SK_LOOKUP -> AttachType.SK_LOOKUP.number();
            default -> 0;
        };
    }

    private static void set(MemorySegment options, String field, int value) {
        options.set(ValueLayout.JAVA_INT, OPTIONS.byteOffset(PathElement.groupElement(field)), value);
    }
}
