package dev.tulle.config;

import dev.tulle.model.RetryPolicy;
import java.time.Duration;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/** Decodes {@code retries} of a VirtualService's rule for requests. */
final class RetryDecoder {
    /** Conditions that Envoy knows beside these. */
    private static final Set<String> VALID = Set.of(
            "envoy-ratelimited",
            "http3-post-connect-failure",
            "reset-before-request",
            "retriable-headers",
            "retriable-status-codes");

    /**
     * What is retried on when a rule gives attempts only. Istio adds {@code unavailable} and {@code cancelled}, which are
     * about gRPC: its ports are carried as bytes, and to watch for it elsewhere would keep requests from the kernel.
     */
    private static final Set<String> DEFAULT = Set.of("connect-failure", "refused-stream");

    /** The codes that have a name, which are those that Istio takes. */
    private static final Set<Integer> CODES =
            codes("100-103 200-208 226 300-305 307 308 400-418 421-426 428 429 431 451" + " 500-508 510 511");

    private static final int MOST_ATTEMPTS = 100;

    private RetryDecoder() {}

    private static Set<Integer> codes(String ranges) {
        return Arrays.stream(ranges.split(" "))
                .flatMap(range -> {
                    int first = Integer.parseInt(range.substring(0, 3));
                    int last = Integer.parseInt(range.substring(range.length() - 3));
                    return IntStream.rangeClosed(first, last).boxed();
                })
                .collect(Collectors.toUnmodifiableSet());
    }

    static RetryPolicy decode(Fields retries) {
        OptionalInt attempts = retries.integerUpTo("attempts", 0, MOST_ATTEMPTS);
        Duration perTry = retries.duration("perTryTimeout").orElse(Duration.ZERO);
        Optional<String> conditions = retries.string("retryOn").filter(text -> !text.isEmpty());
        Set<String> on = conditions.map(text -> conditions(retries, text)).orElse(DEFAULT);
        if (attempts.orElse(retries.has("attempts") ? 1 : 0) == 0) {
            for (String name : List.of("perTryTimeout", "retryOn", "retryRemoteLocalities")) {
                boolean said = name.equals("retryOn") ? conditions.isPresent() : retries.has(name);
                if (said) {
                    retries.error(name, "attempts above 0, or no such field", "nothing is tried again");
                }
            }
        }
        retries.unsupported("backoff", "retryIgnorePreviousHosts", "retryRemoteLocalities");
        retries.done();
        return attempts.orElse(0) == 0 ? RetryPolicy.NONE : new RetryPolicy(attempts.getAsInt(), perTry, on);
    }

    private static Set<String> conditions(Fields retries, String text) {
        Set<String> on = new LinkedHashSet<>();
        for (String condition : text.split(",", -1)) {
            if (RetryPolicy.CONDITIONS.contains(condition) || isCode(condition)) {
                on.add(condition);
            } else if (VALID.contains(condition)) {
                retries.unsupportedValue("retryOn", "the condition '" + condition + "'", expected());
            } else {
                retries.error("retryOn", expected(), "'" + condition + "' is no condition");
            }
        }
        return on;
    }

    private static String expected() {
        return "conditions separated by ',' without blanks: "
                + RetryPolicy.CONDITIONS.stream().sorted().collect(Collectors.joining(", ")) + ", or status codes";
    }

    private static boolean isCode(String word) {
        return word.length() == 3
                && word.chars().allMatch(c -> c >= '0' && c <= '9')
                && CODES.contains(Integer.parseInt(word));
    }
}
