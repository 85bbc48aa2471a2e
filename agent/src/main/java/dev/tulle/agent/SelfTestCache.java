package dev.tulle.agent;

import dev.tulle.agent.datapath.HttpSelfTest;
import dev.tulle.agent.datapath.KernelSelfTest;
import dev.tulle.agent.host.Cgroups;
import dev.tulle.agent.tier.Tier;
import dev.tulle.kernel.FeatureProbe;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.Optional;
import java.util.function.Supplier;

/**
 * Runs the self-tests of the kernel tiers, once for each kernel and kernel object: a pass is kept in the state directory,
 * so that a restart is quick. Failures are never kept, as what was in the way may be gone.
 */
final class SelfTestCache implements TierChooser.SelfTests {
    private static final System.Logger LOG = System.getLogger(SelfTestCache.class.getName());

    private final AgentOptions options;
    private final Cgroups cgroups;
    private final Path file;

    SelfTestCache(AgentOptions options, Cgroups cgroups) {
        this.options = options;
        this.cgroups = cgroups;
        this.file = options.stateDirectory().resolve("self-test");
    }

    @Override
    public Optional<String> failure(Tier tier) {
        return failure(
                tier.word(),
                () -> KernelSelfTest.failure(tier, options.bpfObject(), cgroups, options.meshGroup() + "/agent"));
    }

    @Override
    public Optional<String> httpFailure() {
        return failure(
                "kernel-http",
                () -> HttpSelfTest.failure(options.bpfObject(), cgroups, options.meshGroup() + "/agent"));
    }

    private Optional<String> failure(String what, Supplier<Optional<String>> test) {
        String key = key(what);
        try {
            if (Files.exists(file) && Files.readAllLines(file).contains(key)) {
                return Optional.empty();
            }
            long start = System.nanoTime();
            Optional<String> failure = test.get();
            LOG.log(
                    System.Logger.Level.INFO,
                    "self-test of " + what + " took " + (System.nanoTime() - start) / 1_000_000 + " ms: "
                            + failure.orElse("passed"));
            if (failure.isEmpty()) {
                String before = Files.exists(file) ? Files.readString(file) : "";
                Files.writeString(file, before.length() > 4096 ? key + "\n" : before + key + "\n");
            }
            return failure;
        } catch (IOException e) {
            return Optional.of("self-test: " + file + ": " + e.getMessage());
        }
    }

    private String key(String what) {
        try {
            byte[] hash = MessageDigest.getInstance("SHA-256").digest(Files.readAllBytes(options.bpfObject()));
            String build = Files.readString(Path.of("/proc/sys/kernel/version")).strip();
            return what + " " + FeatureProbe.kernel().reason() + " " + build + " "
                    + HexFormat.of().formatHex(hash);
        } catch (IOException | NoSuchAlgorithmException e) {
            return what + " unknown " + System.nanoTime();
        }
    }
}
