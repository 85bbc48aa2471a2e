package dev.tulle.kernel;

import java.lang.foreign.Arena;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.lang.foreign.ValueLayout;

/**
 * The kernel's info structs of user API, in the order of linux/bpf.h; a test compares them with the running kernel's BTF.
 * Only the leading part that is read is declared: the kernel fills as much as it is given room for.
 */
final class KernelInfo {
    private static final ValueLayout.OfInt U32 = ValueLayout.JAVA_INT;
    private static final ValueLayout.OfLong U64 = ValueLayout.JAVA_LONG;
    private static final int NAME_LENGTH = 16;

    static final StructLayout MAP = MemoryLayout.structLayout(
            U32.withName("type"),
            U32.withName("id"),
            U32.withName("key_size"),
            U32.withName("value_size"),
            U32.withName("max_entries"),
            U32.withName("map_flags"),
            chars(NAME_LENGTH, "name"),
            U32.withName("ifindex"),
            U32.withName("btf_vmlinux_value_type_id"),
            U64.withName("netns_dev"),
            U64.withName("netns_ino"),
            U32.withName("btf_id"),
            U32.withName("btf_key_type_id"),
            U32.withName("btf_value_type_id"),
            MemoryLayout.paddingLayout(4));

    static final StructLayout PROGRAM = MemoryLayout.structLayout(
            U32.withName("type"),
            U32.withName("id"),
            chars(8, "tag"),
            U32.withName("jited_prog_len"),
            U32.withName("xlated_prog_len"),
            U64.withName("jited_prog_insns"),
            U64.withName("xlated_prog_insns"),
            U64.withName("load_time"),
            U32.withName("created_by_uid"),
            U32.withName("nr_map_ids"),
            U64.withName("map_ids"),
            chars(NAME_LENGTH, "name"),
            U32.withName("ifindex"),
            U32.withName("bits"),
            U64.withName("netns_dev"),
            U64.withName("netns_ino"),
            U32.withName("nr_jited_ksyms"),
            U32.withName("nr_jited_func_lens"),
            U64.withName("jited_ksyms"),
            U64.withName("jited_func_lens"),
            U32.withName("btf_id"),
            U32.withName("func_info_rec_size"),
            U64.withName("func_info"),
            U32.withName("nr_func_info"),
            U32.withName("nr_line_info"),
            U64.withName("line_info"),
            U64.withName("jited_line_info"),
            U32.withName("nr_jited_line_info"),
            U32.withName("line_info_rec_size"),
            U32.withName("jited_line_info_rec_size"),
            U32.withName("nr_prog_tags"),
            U64.withName("prog_tags"),
            U64.withName("run_time_ns"),
            U64.withName("run_cnt"),
            U64.withName("recursion_misses"),
            U32.withName("verified_insns"),
            MemoryLayout.paddingLayout(4));

    /** The union at byte 16 is cgroup {u64 id, u32 attach type} or netns {u32 inode, u32 attach type}. */
    static final StructLayout LINK = MemoryLayout.structLayout(
            U32.withName("type"),
            U32.withName("id"),
            U32.withName("prog_id"),
            MemoryLayout.paddingLayout(4),
            MemoryLayout.unionLayout(
                            MemoryLayout.structLayout(U64.withName("cgroup_id"), U32.withName("attach_type"))
                                    .withName("cgroup"),
                            MemoryLayout.structLayout(U32.withName("netns_ino"), U32.withName("attach_type"))
                                    .withName("netns"),
                            MemoryLayout.sequenceLayout(6, U64).withName("room"))
                    .withName("target"));

    private KernelInfo() {}

    private static MemoryLayout chars(int length, String name) {
        return MemoryLayout.sequenceLayout(length, ValueLayout.JAVA_BYTE).withName(name);
    }

    /** Fills a struct of {@code layout} in {@code arena} with what the kernel knows of {@code fd}. */
    static MemorySegment read(Arena arena, Fd fd, StructLayout layout, String what) {
        MemorySegment info = arena.allocate(layout);
        MemorySegment size = arena.allocateFrom(U32, (int) layout.byteSize());
        BpfException.check(BpfCalls.info(fd.number(), info, size), "cannot read the kernel's info of " + what);
        return info;
    }

    /** Fills {@code mapIds} with the ids of a program's maps. */
    static void readInto(Arena arena, Fd program, MemorySegment mapIds, int count, String what) {
        MemorySegment info = arena.allocate(PROGRAM);
        info.set(U32, offset(PROGRAM, "nr_map_ids"), count);
        info.set(U64, offset(PROGRAM, "map_ids"), mapIds.address());
        MemorySegment size = arena.allocateFrom(U32, (int) PROGRAM.byteSize());
        BpfException.check(BpfCalls.info(program.number(), info, size), "cannot read the maps of " + what);
    }

    static int u32(MemorySegment info, StructLayout layout, String... path) {
        return info.get(U32, offset(layout, path));
    }

    static long u64(MemorySegment info, StructLayout layout, String... path) {
        return info.get(U64, offset(layout, path));
    }

    static String text(MemorySegment info, StructLayout layout, String field) {
        return info.asSlice(offset(layout, field), NAME_LENGTH).getString(0);
    }

    static byte[] bytes(MemorySegment info, StructLayout layout, String field, int length) {
        return info.asSlice(offset(layout, field), length).toArray(ValueLayout.JAVA_BYTE);
    }

    private static long offset(StructLayout layout, String... path) {
        PathElement[] elements = new PathElement[path.length];
        for (int i = 0; i < path.length; i++) {
            elements[i] = PathElement.groupElement(path[i]);
        }
        return layout.byteOffset(elements);
    }
}
