package dev.tulle.kernel;

import java.time.Duration;
import java.util.List;
import java.util.Optional;

/**
 * What a load came to.
 *
 * @param loaded names of the programs in the kernel
 * @param refused optional programs that were left out, each with its reason, in the order they were refused
 * @param reused names of the maps that came from pins
 * @param elapsed wall time of all attempts
 */
public record LoadReport(
        List<String> loaded, List<BpfLoadException.Refusal> refused, List<String> reused, Duration elapsed) {
    public LoadReport {
        loaded = List.copyOf(loaded);
        refused = List.copyOf(refused);
        reused = List.copyOf(reused);
    }

    /** Why that program was left out; empty if it was not. */
    public Optional<BpfLoadException.Refusal> refusalOf(String program) {
        return refused.stream().filter(r -> r.program().equals(program)).findFirst();
    }
}
