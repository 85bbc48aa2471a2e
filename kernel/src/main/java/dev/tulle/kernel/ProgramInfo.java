package dev.tulle.kernel;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;

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
 * @param mapIds the kernel's ids of the maps that it uses
 * @param btfId the kernel's id of its types; 0 without
 */
public record ProgramInfo(
        int id,
        String name,
        int type,
        String tag,
        int instructions,
        int verifiedInstructions,
        long runCount,
        long runNanos,
        List<Integer> mapIds,
        int btfId) {
    public ProgramInfo {
        mapIds = List.copyOf(mapIds);
    }

    /** The types that it was loaded with; empty without. */
    public Optional<Btf> btf() {
        return btfId == 0 ? Optional.empty() : Optional.of(Btf.fromKernel(btfId));
    }

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
                    KernelInfo.u64(info, layout, "run_time_ns"),
                    maps(arena, fd, KernelInfo.u32(info, layout, "nr_map_ids"), what),
                    KernelInfo.u32(info, layout, "btf_id"));
        }
    }

    /** The kernel writes the ids to where a second question names room for them. */
    private static List<Integer> maps(Arena arena, Fd fd, int count, String what) {
        List<Integer> ids = new ArrayList<>();
        if (count == 0) {
            return ids;
        }
        MemorySegment room = arena.allocate(ValueLayout.JAVA_INT, count);
        KernelInfo.readInto(arena, fd, room, count, what);
        for (int i = 0; i < count; i++) {
            ids.add(room.getAtIndex(ValueLayout.JAVA_INT, i));
        }
        return ids;
    }
}
