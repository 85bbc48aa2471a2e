package dev.tulle.agent.tier;

import java.util.Locale;
import java.util.Optional;

/** The ways to bring a workload's connections to where they should go, best first. */
public enum Tier {
    /** Captured at connect; data between two local sockets skips TCP. */
    SPLICE("connections captured at connect(), local data spliced between sockets"),
    /** Captured at connect; data goes over loopback TCP. */
    REDIRECT("connections captured at connect(), data over loopback TCP"),
    /** Captured by nftables; workloads share 127.0.0.1. */
    NFTABLES("connections redirected by nftables, workloads share 127.0.0.1"),
    /** Nothing captured: the program is told the proxy's address. */
    EXPLICIT("nothing captured: programs use HTTP_PROXY");

    private final String description;

    Tier(String description) {
        this.description = description;
    }

    /** One line for people. */
    public String description() {
        return description;
    }

    /** The word of the command line and of reports. */
    public String word() {
        return name().toLowerCase(Locale.ROOT);
    }

    /** The tier of a word. */
    public static Optional<Tier> parse(String word) {
        for (Tier tier : values()) {
            if (tier.word().equals(word)) {
                return Optional.of(tier);
            }
        }
        return Optional.empty();
    }

    /** True when every workload has an address of its own, kept by programs in the kernel. */
    public boolean hasOwnAddresses() {
        return this == SPLICE || this == REDIRECT;
    }
}
