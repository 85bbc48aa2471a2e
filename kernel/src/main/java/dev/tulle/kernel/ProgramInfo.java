package dev.tulle.kernel;

import java.lang.foreign.Arena;
import java.util.HexFormat;

/**
 * What the kernel says of a loaded program.
 *
 * @param id the kernel's id now; a reload gets a new one
 * @param name at most 15 characters
 * @param type the kernel's number, see {@link ProgramType}
 * @param tag hash of the instructions in hexadecimal: equal code has an equal tag
 * @param instructions after the kernel's rewriting; 0 if it may not say
 * @param verifiedInstructions that the verifier walked (limit: 1 million); 0 before kernel 5.16
 * @param runCount runs so far, while statistics are on
 * @param runNanos time spent in them
 */
public record ProgramInfo(
        int id,
        String name,
        int type,
        String tag,
        int instructions,
        int verifiedInstructions,
        long runCount,
        long runNanos) {

    static ProgramInfo of(Fd fd, String what) {
        try (Arena arena = Arena.ofConfined()) {
            var layout = KernelInfo.PROGRAM;
            var info = KernelInfo.read(arena, fd, layout, what);
            return new ProgramInfo(
                    KernelInfo.u32(info, layout, "id"),
                    KernelInfo.text(info, layout, "name"),
                    KernelInfo.u32(info, layout, "type"),
                    HexFormat.of().formatHex(KernelInfo.bytes(info, layout, "tag", 8)),
                    KernelInfo.u32(info, layout, "xlated_prog_len") / 8,
                    KernelInfo.u32(info, layout, "verified_insns"),
                    KernelInfo.u64(info, layout, "run_cnt"),
                    KernelInfo.u64(info, layout, "run_time_ns"));
        }
    }
}
