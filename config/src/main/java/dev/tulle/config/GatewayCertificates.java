package dev.tulle.config;

import dev.tulle.model.EdgeTls;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;

/**
 * Decodes {@code tls} of a listener of Gateway API: whose certificate callers are shown. This is the one place that knows
 * where certificates come from; everybody else has what it returns.
 */
final class GatewayCertificates {
    /** Files of PEM on the gateway's host, in the place that Gateway API has for what an implementation adds. */
    static final String CERTIFICATE = "tulle.dev/certificate";

    static final String KEY = "tulle.dev/private-key";

    private static final int MOST_OPTIONS = 16;

    private static final Map<String, Boolean> MODES = Map.of("Terminate", true, "Passthrough", false);

    private GatewayCertificates() {}

    /** Of a listener of HTTPS; empty when it cannot be honoured, which was reported. */
    static Optional<EdgeTls> decode(Fields tls) {
        if (!tls.choice("mode", MODES).orElse(true)) {
            tls.error("mode", "Terminate, or protocol TLS", "HTTPS does not pass through");
        }
        tls.unsupported("certificateRefs");
        Optional<Fields> options = tls.object("options");
        if (!tls.has("certificateRefs") && options.isEmpty()) {
            tls.error(
                    "options",
                    CERTIFICATE + " and " + KEY + ", each a file of PEM on the gateway's host",
                    "a listener of HTTPS without a certificate");
        }
        Map<String, String> files = new HashMap<>();
        options.ifPresent(fields -> files(fields, files));
        tls.done();
        return files.containsKey(CERTIFICATE) && files.containsKey(KEY)
                ? Optional.of(new EdgeTls(files.getOrDefault(CERTIFICATE, ""), files.getOrDefault(KEY, ""), "", false))
                : Optional.empty();
    }

    private static void files(Fields options, Map<String, String> files) {
        if (options.names().size() > MOST_OPTIONS) {
            options.error("", "at most " + MOST_OPTIONS + " options", "too many options");
        }
        for (String name : options.names()) {
            Optional<String> value = options.string(name);
            if (!name.equals(CERTIFICATE) && !name.equals(KEY)) {
                options.unsupportedValue(name, "this option", CERTIFICATE + " and " + KEY);
            } else if (value.isPresent() && !value.get().startsWith("/")) {
                options.unsupportedValue(name, "a file named from a folder that is not known", "a path from / on");
            } else {
                value.ifPresent(file -> files.put(name, file));
            }
        }
        for (String name : new String[] {CERTIFICATE, KEY}) {
            if (!options.has(name)) {
                options.error(name, "a file of PEM on the gateway's host", "this option is required");
            }
        }
        options.done();
    }
}
