package dev.tulle.agent;

import dev.tulle.agent.datapath.HttpSample;
import dev.tulle.telemetry.AccessLog;
import dev.tulle.telemetry.AccessLogEntry;
import dev.tulle.telemetry.MetricRegistry;
import java.util.Locale;
import java.util.Optional;
import java.util.function.Consumer;

/**
 * Makes of sampled requests that the kernel has forwarded the lines that the proxy writes of its own, so that one reader
 * serves both. The details say that it was the kernel and one in how many is logged. Any thread.
 */
final class SampledRequests implements Consumer<HttpSample>, AutoCloseable {
    private final String details;
    private final Consumer<AccessLogEntry> keep;
    private final Optional<AccessLog> log;

    /**
     * Into a file and memory.
     *
     * @param oneIn one in how many is sampled
     * @param target a file, {@code -} for the standard output, empty for none
     * @param keep gets each as well
     */
    SampledRequests(int oneIn, String target, MetricRegistry metrics, Consumer<AccessLogEntry> keep) {
        this.details = details(oneIn);
        this.keep = keep;
        this.log = oneIn == 0 || target.isEmpty() ? Optional.empty() : Optional.of(AccessLog.open(target, metrics));
    }

    /** Why the file cannot be written, one sentence; empty while it can. */
    String trouble() {
        return log.map(AccessLog::trouble).orElse("");
    }

    static String details(int oneIn) {
        return "via_kernel_sampled_1_in_" + oneIn;
    }

    @Override
    public void accept(HttpSample sample) {
        long ago = sample.nanos() + System.nanoTime() - sample.endNanos();
        AccessLogEntry entry = entry(sample, System.currentTimeMillis() - ago / 1_000_000, details);
        log.ifPresent(to -> to.log(entry));
        keep.accept(entry);
    }

    /** @param startMillis when the request came, milliseconds since the epoch */
    static AccessLogEntry entry(HttpSample sample, long startMillis, String details) {
        String head = sample.head();
        int line = Math.max(0, head.indexOf("\r\n"));
        String[] words = head.substring(0, line).split(" ", 3);
        return new AccessLogEntry(
                startMillis,
                words[0],
                words.length > 1 ? words[1] : "",
                words.length > 2 ? words[2] : "",
                sample.code(),
                "-",
                details,
                sample.requestBytes(),
                sample.responseBytes(),
                sample.nanos() / 1_000,
                sample.headNanos() / 1_000,
                field(head, "x-forwarded-for"),
                field(head, "user-agent"),
                field(head, "x-request-id"),
                field(head, "host"),
                sample.endpoint(),
                sample.cluster(),
                sample.dialled(),
                sample.client(),
                sample.source(),
                sample.route());
    }

    /** The value of the first field of a name in lower case; the kernel takes only heads without odd space or folding. */
    private static String field(String head, String name) {
        return head.lines()
                .skip(1)
                .filter(line -> line.length() > name.length()
                        && line.charAt(name.length()) == ':'
                        && line.substring(0, name.length())
                                .toLowerCase(Locale.ROOT)
                                .equals(name))
                .map(line -> line.substring(name.length() + 1).strip())
                .findFirst()
                .orElse("");
    }

    @Override
    public void close() {
        log.ifPresent(AccessLog::close);
    }
}
