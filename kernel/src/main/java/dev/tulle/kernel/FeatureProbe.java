package dev.tulle.kernel;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/**
 * Asks the host what it can do, without leaving anything behind. Each answer is a {@link Feature} with the reason. A
 * probe that loads tells more than a version, but only a self-test tells that a facility works. Stateless; any thread.
 */
public final class FeatureProbe {
    private static final Map<String, Integer> CAPABILITIES = Map.of(
            "CAP_NET_BIND_SERVICE",
            10,
            "CAP_NET_ADMIN",
            12,
            "CAP_NET_RAW",
            13,
            "CAP_SYS_PTRACE",
            19,
            "CAP_SYS_ADMIN",
            21,
            "CAP_SYS_RESOURCE",
            24,
            "CAP_PERFMON",
            38,
            "CAP_BPF",
            39);

    private FeatureProbe() {}

    /** Whether libbpf can be opened; ask this before anything else of this module. */
    public static Feature libbpf() {
        try {
            NativeLibrary.libbpf();
            return Feature.of("libbpf", true, "version " + NativeLibrary.string(LibBpf.version()));
        } catch (BpfException e) {
            return Feature.of("libbpf", false, String.valueOf(e.getMessage()));
        }
    }

    /** Whether a minimal program of that kind loads. */
    public static Feature program(ProgramType type) {
        return probed("program " + type, LibBpf.probeProgramType(type.number(), MemorySegment.NULL));
    }

    /** Whether a minimal map of that kind can be made. */
    public static Feature map(MapType type) {
        return probed("map " + type, LibBpf.probeMapType(type.number(), MemorySegment.NULL));
    }

    /** Whether a program of that kind may call the helper. */
    public static Feature helper(ProgramType type, Helper helper) {
        return HelperProbe.probe(type, helper);
    }

    private static Feature probed(String name, int result) {
        if (result == 1) {
            return Feature.of(name, true, "the kernel accepted it");
        }
        return Feature.of(
                name, false, result == 0 ? "the kernel refused it" : "could not be tried: " + Errno.describe(-result));
    }

    /** The running kernel's release; always available, the reason is the release. */
    public static Feature kernel() {
        return Feature.of("kernel", true, read("/proc/sys/kernel/osrelease", "unknown"));
    }

    /** Whether the kernel describes its own types, which CO-RE needs. */
    public static Feature btf() {
        Path btf = Path.of("/sys/kernel/btf/vmlinux");
        return Files.isReadable(btf)
                ? Feature.of("kernel BTF", true, btf.toString())
                : Feature.of("kernel BTF", false, btf + " is not readable (CONFIG_DEBUG_INFO_BTF)");
    }

    /** Whether programs run compiled; without the JIT they run, slowly. */
    public static Feature jit() {
        String value = read("/proc/sys/net/core/bpf_jit_enable", "unknown");
        return Feature.of("JIT", !value.equals("0"), "net.core.bpf_jit_enable is " + value);
    }

    /** Kernel lockdown, which takes some BPF away at "confidentiality". */
    public static Feature lockdown() {
        String value = read("/sys/kernel/security/lockdown", "not there");
        boolean open = !value.contains("[confidentiality]");
        return Feature.of("no confidentiality lockdown", open, "lockdown is " + value);
    }

    /** The memlock limit, which counts BPF memory before kernel 5.11 only. */
    public static Feature memlock() {
        String limit = "unknown";
        try {
            for (String line : Files.readAllLines(Path.of("/proc/self/limits"))) {
                if (line.startsWith("Max locked memory")) {
                    limit = line.substring("Max locked memory".length()).strip().split("\\s+")[0];
                }
            }
        } catch (IOException e) {
            limit = "unreadable";
        }
        boolean counted = olderThan(kernel().reason(), 5, 11);
        boolean enough = !counted || limit.equals("unlimited");
        return Feature.of(
                "memlock", enough, "limit " + limit + (counted ? "" : ", not applied to BPF since kernel 5.11"));
    }

    static boolean olderThan(String release, int major, int minor) {
        String[] parts = release.split("[.-]", -1);
        try {
            int first = Integer.parseInt(parts[0]);
            int second = parts.length > 1 ? Integer.parseInt(parts[1]) : 0;
            return first < major || (first == major && second < minor);
        } catch (NumberFormatException e) {
            return false;
        }
    }

    /** Whether this process holds a capability now, such as CAP_BPF; CAP_SYS_ADMIN stands for CAP_BPF and CAP_PERFMON. */
    public static Feature capability(String name) {
        Integer bit = CAPABILITIES.get(name);
        if (bit == null) {
            throw new IllegalArgumentException("capability " + name + " is unknown, expected one of "
                    + String.join(", ", CAPABILITIES.keySet().stream().sorted().toList()));
        }
        long held = effective();
        if ((held >>> bit & 1) == 1) {
            return Feature.of(name, true, "held");
        }
        boolean implied = (name.equals("CAP_BPF") || name.equals("CAP_PERFMON")) && (held >>> 21 & 1) == 1;
        return Feature.of(
                name, implied, implied ? "held through CAP_SYS_ADMIN" : "not in this process's effective set");
    }

    private static long effective() {
        try {
            for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
                if (line.startsWith("CapEff:")) {
                    return Long.parseUnsignedLong(
                            line.substring("CapEff:".length()).strip(), 16);
                }
            }
        } catch (IOException e) {
            return 0;
        }
        return 0;
    }

    /** Whether cgroup v2 is mounted, and where. */
    public static Feature cgroup2() {
        try {
            return Feature.of("cgroup v2", true, "mounted at " + CgroupFs.find().root());
        } catch (IOException e) {
            return Feature.of("cgroup v2", false, String.valueOf(e.getMessage()));
        }
    }

    /** Everything about the host that does not depend on a kind of program; safe without any privilege. */
    public static List<Feature> host() {
        return List.of(
                kernel(),
                libbpf(),
                btf(),
                jit(),
                lockdown(),
                memlock(),
                cgroup2(),
                capability("CAP_BPF"),
                capability("CAP_NET_ADMIN"),
                capability("CAP_SYS_ADMIN"));
    }

    private static String read(String file, String otherwise) {
        try {
            return Files.readString(Path.of(file)).strip();
        } catch (IOException e) {
            return otherwise;
        }
    }
}
