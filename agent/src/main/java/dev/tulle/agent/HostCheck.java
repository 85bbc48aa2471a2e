package dev.tulle.agent;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import dev.tulle.agent.host.Cgroups;
import dev.tulle.agent.host.Shell;
import dev.tulle.agent.tier.Tier;
import dev.tulle.kernel.BpfException;
import dev.tulle.kernel.BpfFs;
import dev.tulle.kernel.Feature;
import dev.tulle.kernel.FeatureProbe;
import dev.tulle.kernel.ProgramType;
import java.io.IOException;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;

/**
 * Says what this host can do and in which tier a mesh would run, without changing anything. What only a self-test can tell
 * (whether splicing works) is said to be tried at the start. Blocks for some tens of milliseconds; any thread.
 */
public final class HostCheck {
    private HostCheck() {}

    /**
     * One thing that was looked at.
     *
     * @param name what
     * @param ok whether it is as it should be
     * @param detail what was seen
     * @param remedy what to do about it; empty when nothing needs to be done
     */
    public record Check(String name, boolean ok, String detail, String remedy) {}

    /**
     * One tier.
     *
     * @param tier the tier
     * @param possible whether nothing is known that forbids it
     * @param reason why not, or what will still be tried
     */
    public record TierCheck(Tier tier, boolean possible, String reason) {}

    /**
     * Everything.
     *
     * @param checks what was looked at
     * @param tiers what follows for each tier, best first
     */
    public record Report(List<Check> checks, List<TierCheck> tiers) {
        public Report {
            checks = List.copyOf(checks);
            tiers = List.copyOf(tiers);
        }

        /** The best tier that is possible; empty when the mesh cannot run at all. */
        public Optional<Tier> best() {
            return tiers.stream()
                    .filter(TierCheck::possible)
                    .map(TierCheck::tier)
                    .findFirst();
        }

        /** The report in the form of the command line's {@code -o json}. */
        public JsonObject toJson() {
            JsonObject json = new JsonObject();
            json.addProperty("tier", best().map(Tier::word).orElse(""));
            JsonArray list = new JsonArray();
            for (TierCheck tier : tiers) {
                JsonObject one = new JsonObject();
                one.addProperty("tier", tier.tier().word());
                one.addProperty("possible", tier.possible());
                one.addProperty("reason", tier.reason());
                list.add(one);
            }
            json.add("tiers", list);
            JsonArray all = new JsonArray();
            for (Check check : checks) {
                JsonObject one = new JsonObject();
                one.addProperty("name", check.name());
                one.addProperty("ok", check.ok());
                one.addProperty("detail", check.detail());
                one.addProperty("remedy", check.remedy());
                all.add(one);
            }
            json.add("checks", all);
            return json;
        }
    }

    /** Looks at this host. */
    public static Report run(AgentOptions options) {
        List<Check> checks = new ArrayList<>();
        List<String> common = new ArrayList<>();
        List<String> kernel = new ArrayList<>();
        List<String> nft = new ArrayList<>();

        need(checks, common, cgroups(options));
        need(checks, common, groups(options));
        need(checks, kernel, feature(FeatureProbe.libbpf(), "install libbpf (Debian: libbpf1)"));
        boolean libbpf = kernel.isEmpty();
        need(checks, kernel, feature(FeatureProbe.capability("CAP_BPF"), "run as root, or grant CAP_BPF"));
        need(checks, kernel, feature(FeatureProbe.capability("CAP_NET_ADMIN"), "run as root, or grant CAP_NET_ADMIN"));
        need(checks, kernel, feature(FeatureProbe.btf(), "a kernel with CONFIG_DEBUG_INFO_BTF"));
        need(checks, kernel, feature(FeatureProbe.lockdown(), "boot without lockdown=confidentiality"));
        note(checks, feature(FeatureProbe.jit(), "sysctl net.core.bpf_jit_enable=1"));
        note(checks, feature(FeatureProbe.kernel(), ""));
        need(checks, kernel, object(options));
        note(checks, bpfFs(options));
        List<String> splice = new ArrayList<>();
        if (libbpf && kernel.isEmpty()) {
            for (ProgramType type :
                    List.of(ProgramType.CGROUP_SOCK_ADDR, ProgramType.SOCK_OPS, ProgramType.CGROUP_SOCKOPT)) {
                need(checks, kernel, feature(FeatureProbe.program(type), "a kernel from 5.15 on"));
            }
            note(checks, feature(FeatureProbe.program(ProgramType.SK_LOOKUP), "a kernel from 5.9 on"));
            need(checks, splice, feature(FeatureProbe.program(ProgramType.SK_MSG), "a kernel from 5.15 on"));
            need(checks, splice, feature(FeatureProbe.program(ProgramType.SK_SKB), "a kernel from 5.15 on"));
        }
        need(checks, nft, tool("nft", "install nftables", "--version"));
        need(checks, nft, nftables());

        List<TierCheck> tiers = new ArrayList<>();
        tiers.add(tier(Tier.SPLICE, "its self-test decides at the start", List.of(common, kernel, splice)));
        tiers.add(tier(Tier.REDIRECT, "its self-test decides at the start", List.of(common, kernel)));
        tiers.add(tier(Tier.NFTABLES, "programs need ports of their own", List.of(common, nft)));
        tiers.add(tier(Tier.EXPLICIT, "programs must heed HTTP_PROXY and PORT", List.of(common)));
        return new Report(checks, tiers);
    }

    private static TierCheck tier(Tier tier, String note, List<List<String>> missing) {
        String reasons = missing.stream().flatMap(List::stream).collect(Collectors.joining("; "));
        return new TierCheck(tier, reasons.isEmpty(), reasons.isEmpty() ? note : reasons);
    }

    private static void need(List<Check> checks, List<String> missing, Check check) {
        checks.add(check);
        if (!check.ok()) {
            missing.add(check.name() + ": " + check.detail());
        }
    }

    private static void note(List<Check> checks, Check check) {
        checks.add(check);
    }

    private static Check feature(Feature feature, String remedy) {
        return new Check(feature.name(), feature.available(), feature.reason(), feature.available() ? "" : remedy);
    }

    private static Check tool(String name, String remedy, String versionFlag) {
        try {
            Shell.Outcome outcome = Shell.run(name, versionFlag);
            return new Check(name, outcome.ok(), outcome.output().strip(), outcome.ok() ? "" : remedy);
        } catch (IOException e) {
            return new Check(name, false, "not found", remedy);
        }
    }

    private static Check cgroups(AgentOptions options) {
        try {
            Cgroups cgroups = Cgroups.at(options.cgroupRoot());
            return new Check("cgroup v2", true, "mounted at " + cgroups.mount(), "");
        } catch (IOException e) {
            return new Check("cgroup v2", false, String.valueOf(e.getMessage()), "mount -t cgroup2 none DIRECTORY");
        }
    }

    private static Check groups(AgentOptions options) {
        try {
            Cgroups cgroups = Cgroups.at(options.cgroupRoot());
            boolean writable = Files.isWritable(cgroups.mount());
            return new Check(
                    "control groups",
                    writable,
                    cgroups.mount() + (writable ? " is writable" : " is not writable"),
                    writable ? "" : "run as root, or delegate " + cgroups.mount());
        } catch (IOException e) {
            return new Check("control groups", false, "no cgroup v2", "mount cgroup v2");
        }
    }

    private static Check object(AgentOptions options) {
        boolean there = Files.isReadable(options.bpfObject());
        return new Check(
                "kernel object",
                there,
                options.bpfObject() + (there ? "" : " cannot be read"),
                there ? "" : "build it: make -C bpf");
    }

    private static Check bpfFs(AgentOptions options) {
        try {
            boolean mounted = BpfFs.isOn(options.pinDirectory());
            return new Check(
                    "bpf file system",
                    true,
                    mounted ? "mounted" : "not mounted; the agent mounts it at " + BpfFs.DEFAULT,
                    "");
        } catch (IOException | BpfException e) {
            return new Check("bpf file system", false, String.valueOf(e.getMessage()), "mount -t bpf bpf /sys/fs/bpf");
        }
    }

    /** Asks nft to check, not to load, a table of the kind that is needed. */
    private static Check nftables() {
        String rules = """
                table inet tulle-check {
                  chain output {
                    type nat hook output priority -100; policy accept;
                    ip daddr 240.255.255.0/24 meta l4proto tcp redirect to :1
                  }
                }
                """;
        try {
            Shell.Outcome outcome = Shell.run(List.of("nft", "--check", "-f", "-"), rules, Shell.TIMEOUT);
            return new Check(
                    "nftables",
                    outcome.ok(),
                    outcome.ok() ? "the kernel takes nat rules" : outcome.trouble(),
                    outcome.ok() ? "" : "a kernel with nf_tables and nat; run as root");
        } catch (IOException e) {
            return new Check("nftables", false, "nft cannot be run", "install nftables");
        }
    }
}
