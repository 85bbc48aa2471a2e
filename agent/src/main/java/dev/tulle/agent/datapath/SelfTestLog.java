package dev.tulle.agent.datapath;

import java.util.Optional;

/** What a self-test has seen: keeps the first thing that was not as expected. Not thread-safe. */
final class SelfTestLog implements AutoCloseable {
    private static final System.Logger LOG = System.getLogger(SelfTestLog.class.getName());

    private final long start = System.nanoTime();
    private Optional<String> failure = Optional.empty();
    private int expectations;

    /** Notes one expectation. */
    void expect(String what, boolean holds, String otherwise) {
        expectations++;
        if (!holds && failure.isEmpty()) {
            failure = Optional.of("self-test: " + what + ": " + otherwise);
        }
    }

    boolean failed() {
        return failure.isPresent();
    }

    Optional<String> failure() {
        return failure;
    }

    @Override
    public void close() {
        LOG.log(
                System.Logger.Level.DEBUG,
                "self-test: " + expectations + " expectations in " + (System.nanoTime() - start) / 1_000_000 + " ms: "
                        + failure.orElse("all hold"));
    }
}
