package dev.tulle.kernel;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.StructLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

/** Goal: answers agree with what this host is known to do, and the declared kernel structs with its BTF. */
class FeatureProbeTest {
    @Test
    void programsMapsAndHelpers() {
        assertTrue(FeatureProbe.program(ProgramType.CGROUP_SOCK_ADDR).available());
        assertTrue(FeatureProbe.program(ProgramType.SK_MSG).available());
        assertTrue(FeatureProbe.program(ProgramType.SK_LOOKUP).available());
        assertTrue(FeatureProbe.map(MapType.SOCKHASH).available());
        assertTrue(FeatureProbe.map(MapType.RINGBUF).available());
        assertTrue(
                FeatureProbe.helper(ProgramType.CGROUP_SOCK_ADDR, Helper.BIND).available());
        assertTrue(FeatureProbe.helper(ProgramType.SK_MSG, Helper.MSG_REDIRECT_HASH)
                .available());
        Feature wrong = FeatureProbe.helper(ProgramType.CGROUP_SOCK_ADDR, Helper.MSG_PULL_DATA);
        assertFalse(wrong.available());
        assertEquals("helper bpf_msg_pull_data in CGROUP_SOCK_ADDR", wrong.name());
        for (Helper helper : Helper.values()) {
            Feature feature = FeatureProbe.helper(ProgramType.SOCK_OPS, helper);
            assertFalse(feature.reason().contains("could not be tried"), feature.toString());
        }
        assertTrue(FeatureProbe.helper(ProgramType.SOCK_OPS, Helper.SOCK_HASH_UPDATE)
                .available());
        assertFalse(FeatureProbe.helper(ProgramType.SOCK_OPS, Helper.BIND).available());
        assertTrue(FeatureProbe.helper(ProgramType.SK_LOOKUP, Helper.SK_ASSIGN).available());
        assertTrue(FeatureProbe.helper(ProgramType.CGROUP_SOCKOPT, Helper.SK_STORAGE_GET)
                .available());
    }

    @Test
    void hostFactsHaveAReason() {
        for (Feature feature : FeatureProbe.host()) {
            assertFalse(feature.reason().isEmpty(), feature.toString());
            assertTrue(feature.available(), feature.toString());
        }
        assertThrows(IllegalArgumentException.class, () -> FeatureProbe.capability("CAP_MAGIC"));
        assertTrue(FeatureProbe.olderThan("5.10.0-28-amd64", 5, 11));
        assertFalse(FeatureProbe.olderThan("6.1.0", 5, 11));
        assertFalse(FeatureProbe.olderThan("5.11", 5, 11));
        assertFalse(FeatureProbe.olderThan("strange", 5, 11));
    }

    @Test
    void declaredKernelStructsAgreeWithTheRunningKernel() throws Exception {
        Btf kernel = Btf.parse(Files.readAllBytes(Path.of("/sys/kernel/btf/vmlinux")));
        compare(kernel.struct("bpf_map_info").orElseThrow(), KernelInfo.MAP);
        compare(kernel.struct("bpf_prog_info").orElseThrow(), KernelInfo.PROGRAM);
        RecordLayout link = kernel.struct("bpf_link_info").orElseThrow();
        assertEquals(8, link.u32("prog_id").offset());
        assertEquals(
                link.struct("cgroup").u64("cgroup_id").offset(),
                KernelInfo.LINK.byteOffset(
                        PathElement.groupElement("target"),
                        PathElement.groupElement("cgroup"),
                        PathElement.groupElement("cgroup_id")));
        assertEquals(
                link.struct("netns").u32("attach_type").offset(),
                KernelInfo.LINK.byteOffset(
                        PathElement.groupElement("target"),
                        PathElement.groupElement("netns"),
                        PathElement.groupElement("attach_type")));
        RecordLayout diag = kernel.struct("inet_diag_msg").orElseThrow();
        assertEquals(64, diag.u32("idiag_uid").offset());
        assertEquals(68, diag.u32("idiag_inode").offset());
        assertEquals(72, diag.size());
    }

    private static void compare(RecordLayout kernel, StructLayout declared) {
        for (MemoryLayout member : declared.memberLayouts()) {
            String name = member.name().orElse("bits");
            if (!name.equals("bits")) {
                RecordLayout.Field field = kernel.field(name);
                assertEquals(declared.byteOffset(PathElement.groupElement(name)), field.offset(), name);
                assertEquals(member.byteSize(), field.size(), name);
            }
        }
    }
}
