package dev.tulle.agent;

import dev.tulle.agent.datapath.Datapath;
import dev.tulle.agent.datapath.ExplicitDatapath;
import dev.tulle.agent.datapath.HttpSampling;
import dev.tulle.agent.datapath.KernelDatapath;
import dev.tulle.agent.datapath.KernelEvent;
import dev.tulle.agent.datapath.KernelPins;
import dev.tulle.agent.datapath.NftDatapath;
import dev.tulle.agent.host.Cgroups;
import dev.tulle.agent.tier.KernelHttp;
import dev.tulle.agent.tier.Tier;
import dev.tulle.agent.tier.TierReport;
import dev.tulle.common.Reason;
import dev.tulle.kernel.BpfException;
import dev.tulle.kernel.Feature;
import dev.tulle.kernel.FeatureProbe;
import java.io.IOException;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;

/**
 * Finds the best tier that works on this host, or opens the one that was asked for. A tier counts as working when its
 * self-test has done the thing, and its data path could be opened.
 */
final class TierChooser {
    private static final System.Logger LOG = System.getLogger(TierChooser.class.getName());

    private static final KernelHttp TIER_WITHOUT_HTTP =
            KernelHttp.off(Reason.HTTP_HOOKS, "it needs tier " + Tier.SPLICE.word());

    private final AgentOptions options;
    private final Cgroups cgroups;
    private final SelfTests selfTests;
    private final HttpSampling sampling;
    private final Consumer<KernelEvent> events;

    /** Tries a tier on this host; empty when it passes, else why it does not. */
    @FunctionalInterface
    interface SelfTests {
        /** Tries one of the kernel tiers. */
        Optional<String> failure(Tier tier);

        /** Tries kernel HTTP. */
        default Optional<String> httpFailure() {
            return Optional.empty();
        }
    }

    TierChooser(
            AgentOptions options,
            Cgroups cgroups,
            SelfTests selfTests,
            HttpSampling sampling,
            Consumer<KernelEvent> events) {
        this.options = options;
        this.cgroups = cgroups;
        this.selfTests = selfTests;
        this.sampling = sampling;
        this.events = events;
    }

    /**
     * Opens the best data path.
     *
     * @throws IOException when the tier that was asked for does not work here, with the reason
     */
    ChosenTier choose() throws IOException {
        List<TierReport> refused = new ArrayList<>();
        for (Tier tier : Tier.values()) {
            boolean asked = options.tier().map(tier::equals).orElse(true);
            if (!asked) {
                refused.add(new TierReport(
                        tier,
                        "not tried: tier " + options.tier().map(Tier::word).orElse("") + " was asked for"));
                continue;
            }
            Optional<String> obstacle = obstacle(tier);
            if (obstacle.isEmpty()) {
                try {
                    clearOthers(tier);
                    return new ChosenTier(open(tier), refused);
                } catch (IOException | BpfException e) {
                    obstacle = Optional.of(String.valueOf(e.getMessage()));
                }
            }
            refused.add(new TierReport(tier, obstacle.orElse("")));
            if (options.tier().isPresent()) {
                break;
            }
        }
        TierReport last = refused.getLast();
        throw new IOException("tier " + last.tier().word() + " does not work on this host: " + last.reason());
    }

    private Optional<String> obstacle(Tier tier) {
        return switch (tier) {
            case SPLICE, REDIRECT -> {
                Optional<String> missing = kernelObstacle(options);
                yield missing.isPresent() ? missing : selfTests.failure(tier);
            }
            case NFTABLES -> NftDatapath.obstacle(options.meshName(), cgroups, options.meshGroup() + "/workloads");
            case EXPLICIT -> Optional.empty();
        };
    }

    /** What the kernel tiers need and this host lacks; no side effects. */
    static Optional<String> kernelObstacle(AgentOptions options) {
        for (Feature feature : List.of(
                FeatureProbe.libbpf(),
                FeatureProbe.capability("CAP_BPF"),
                FeatureProbe.capability("CAP_NET_ADMIN"),
                FeatureProbe.lockdown())) {
            if (!feature.available()) {
                return Optional.of(feature.name() + ": " + feature.reason());
            }
        }
        return Files.isReadable(options.bpfObject())
                ? Optional.empty()
                : Optional.of(
                        "the kernel object " + options.bpfObject() + " cannot be read: build it with make -C bpf");
    }

    /** Removes what an earlier agent of this mesh left of another kind of tier: two at once would capture twice. */
    private void clearOthers(Tier tier) {
        try {
            if (tier != Tier.NFTABLES) {
                NftDatapath.remove(options.meshName());
            }
        } catch (IOException e) {
            LOG.log(System.Logger.Level.DEBUG, "nftables: " + e.getMessage());
        }
        try {
            if (!tier.hasOwnAddresses()) {
                KernelPins.remove(options.pinDirectory());
            }
        } catch (IOException | BpfException e) {
            LOG.log(System.Logger.Level.WARNING, "pins of another tier: " + e.getMessage());
        }
    }

    /** Whether kernel HTTP is wanted and works here. */
    private KernelHttp http() {
        if (!options.kernelHttp()) {
            return KernelHttp.off(Reason.HTTP_OFF, Reason.HTTP_OFF.text());
        }
        return selfTests
                .httpFailure()
                .map(why -> KernelHttp.off(Reason.HTTP_SELF_TEST, why))
                .orElse(KernelHttp.ON);
    }

    private Datapath open(Tier tier) throws IOException {
        return switch (tier) {
            case SPLICE, REDIRECT ->
                KernelDatapath.open(
                        tier,
                        options.bpfObject(),
                        options.pinDirectory(),
                        cgroups,
                        options.meshGroup(),
                        options.outboundPolicy(),
                        options.drainTime(),
                        tier == Tier.SPLICE ? http() : TIER_WITHOUT_HTTP,
                        sampling,
                        events);
            case NFTABLES -> new NftDatapath(options.meshName(), cgroups, options.meshGroup());
            case EXPLICIT -> new ExplicitDatapath();
        };
    }
}
