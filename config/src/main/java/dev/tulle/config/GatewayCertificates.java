package dev.tulle.config;

import dev.tulle.model.EdgeTls;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Decodes {@code tls} of a listener of Gateway API: where the certificate is that callers are shown. {@link Credentials}
 * finds it.
 */
final class GatewayCertificates {
    /** Files of PEM on the gateway's host, in the place that Gateway API has for what an implementation adds. */
    static final String CERTIFICATE = "tulle.dev/certificate";

    static final String KEY = "tulle.dev/private-key";

    private static final int MOST_OPTIONS = 16;
    private static final int MOST_REFERENCES = 64;

    private static final Map<String, Boolean> MODES = Map.of("Terminate", true, "Passthrough", false);

    private GatewayCertificates() {}

    /**
     * Of a listener of HTTPS; empty when it cannot be honoured, which was reported.
     *
     * @param namespace the listener's own
     */
    static Optional<ServerTls> decode(Fields tls, String namespace) {
        if (!tls.choice("mode", MODES).orElse(true)) {
            tls.error("mode", "Terminate, or protocol TLS", "HTTPS does not pass through");
        }
        tls.atMost("certificateRefs", MOST_REFERENCES);
        List<Fields> references = tls.objects("certificateRefs");
        Optional<Fields> options = tls.object("options");
        Optional<ServerTls> made = Optional.empty();
        if (!references.isEmpty()) {
            options.ifPresent(GatewayCertificates::refuse);
            made = references(tls, references, namespace);
        } else if (options.isPresent()) {
            made = files(options.get());
        } else {
            tls.error(
                    "certificateRefs",
                    "a Secret, or the options " + CERTIFICATE + " and " + KEY
                            + ", each a file of PEM on the gateway's host",
                    "a listener of HTTPS without a certificate");
        }
        tls.done();
        return made;
    }

    private static Optional<ServerTls> references(Fields tls, List<Fields> references, String namespace) {
        List<ServerTls> all = new ArrayList<>();
        references.forEach(one -> reference(one, namespace).ifPresent(all::add));
        if (references.size() > 1) {
            tls.unsupportedForm("certificateRefs", "one certificate", "several certificates of one listener");
        }
        return all.stream().findFirst();
    }

    private static Optional<ServerTls> reference(Fields ref, String namespace) {
        String group = ref.string("group").orElse("");
        String kind = ref.string("kind").orElse("Secret");
        String name = ref.requiredString("name");
        ParentRefs.checkReference(ref);
        String own = ref.string("namespace").orElse(namespace);
        Position position = ref.position("name");
        ref.done();
        if (!(group.isEmpty() || group.equals("core")) || !kind.equals("Secret")) {
            ref.unsupportedValue(
                    "kind", "a certificate of kind " + ParentRefs.shorten(kind), "group \"\" and kind Secret");
            return Optional.empty();
        }
        boolean right = Words.isDnsName(name);
        if (!right && !name.isEmpty()) {
            ref.unsupportedValue("name", "what is no name of a Secret", "the name of a Secret");
        }
        return right ? Optional.of(new ServerTls.Referenced(own, name, position)) : Optional.empty();
    }

    /** Files are not looked for where there is a Secret, and nothing else that stands there has a meaning here. */
    private static void refuse(Fields options) {
        for (String name : options.names()) {
            options.tolerate(name);
            options.unsupportedValue(name, "an option beside certificateRefs", "certificateRefs or options");
        }
        options.done();
    }

    private static Optional<ServerTls> files(Fields options) {
        Map<String, String> files = new HashMap<>();
        files(options, files);
        return files.containsKey(CERTIFICATE) && files.containsKey(KEY)
                ? Optional.of(new ServerTls.Files(
                        new EdgeTls(files.getOrDefault(CERTIFICATE, ""), files.getOrDefault(KEY, ""), "", false)))
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
