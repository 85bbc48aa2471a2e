package dev.tulle.config;

import dev.tulle.model.HeaderMutation;
import dev.tulle.model.HeaderMutation.Changes;
import dev.tulle.model.HeaderMutation.Field;
import dev.tulle.model.WireText;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;

/** Decoders of parts that several Istio kinds share. */
final class IstioFields {
    private static final int PARTS = 1_000_000;

    private IstioFields() {}

    /** Reports what is neither a host name nor a pattern; an absent one was reported already. */
    static void checkHost(Fields fields, String name, String host) {
        if (!host.isEmpty() && !isHost(host)) {
            fields.error(name, "a service name, a host name, '*' or '*.suffix'", "not a host");
        }
    }

    static boolean isHost(String host) {
        String name = host.toLowerCase(Locale.ROOT);
        if (name.equals("*")) {
            return true;
        }
        return Words.isDnsName(name.startsWith("*.") ? name.substring(2) : name);
    }

    /** Everything is visible everywhere in this version; anything narrower is refused. */
    static void exportTo(Fields spec) {
        List<String> namespaces = spec.strings("exportTo");
        if (!namespaces.isEmpty() && !namespaces.equals(List.of("*"))) {
            spec.unsupportedValue("exportTo", "restricted visibility", "\"*\" or nothing");
        }
    }

    /** A share of requests in parts per million: {@code percentage.value}, or the older whole {@code percent}. */
    static Optional<Integer> share(Fields owner, String field, String olderField) {
        Optional<Fields> percentage = owner.object(field);
        Optional<Integer> parts = Optional.empty();
        if (percentage.isPresent()) {
            OptionalDouble value = percentage.get().number("value", 0, 100);
            percentage.get().done();
            parts = Optional.of((int) Math.round(value.orElse(0) * (PARTS / 100)));
        }
        OptionalInt older = owner.integer(olderField, 0, 100);
        return parts.isPresent() || older.isEmpty() ? parts : Optional.of(older.getAsInt() * (PARTS / 100));
    }

    /** {@code headers: {request: …, response: …}}. */
    static HeaderMutation headers(Fields owner) {
        Optional<Fields> headers = owner.object("headers");
        if (headers.isEmpty()) {
            return HeaderMutation.NONE;
        }
        Changes request =
                headers.get().object("request").map(IstioFields::changes).orElse(Changes.NONE);
        Changes response =
                headers.get().object("response").map(IstioFields::changes).orElse(Changes.NONE);
        headers.get().done();
        return new HeaderMutation(request, response);
    }

    private static Changes changes(Fields fields) {
        List<String> remove = new ArrayList<>();
        for (String name : fields.strings("remove")) {
            if (checkHeaderName(fields, "remove", name)) {
                remove.add(name.toLowerCase(Locale.ROOT));
            }
        }
        Changes changes = new Changes(headerFields(fields, "set"), headerFields(fields, "add"), remove);
        fields.done();
        return changes;
    }

    private static List<Field> headerFields(Fields owner, String name) {
        List<Field> out = new ArrayList<>();
        owner.object(name).ifPresent(map -> {
            for (String header : map.names()) {
                Optional<String> value = map.string(header);
                if (checkHeaderName(map, header, header)
                        && value.isPresent()
                        && checkHeaderValue(map, header, value.get())) {
                    out.add(new Field(header.toLowerCase(Locale.ROOT), value.get()));
                }
            }
        });
        return out;
    }

    /** Reports what cannot be the name of a header field that a rule may change. */
    static boolean checkHeaderName(Fields fields, String at, String name) {
        if (Words.isToken(name)) {
            return true;
        }
        fields.error(at, "letters, digits and '-'", "not the name of a header field");
        return false;
    }

    /** Reports values that would break the framing of a message. */
    static boolean checkHeaderValue(Fields fields, String at, String value) {
        if (value.contains("%")) {
            fields.unsupportedValue(at, "substitution of %VARIABLES%", "a fixed value without '%'");
            return false;
        }
        boolean host = at.equalsIgnoreCase("host") || at.equals(":authority");
        if (host && WireText.AUTHORITY.fault(value).isPresent()) {
            fields.error(at, WireText.AUTHORITY.expected(), "not a host");
            return false;
        }
        if (value.length() <= 8192 && value.chars().allMatch(c -> c == '\t' || (c >= ' ' && c < 0x7f))) {
            return true;
        }
        fields.error(at, "printable ASCII characters", "not the value of a header field");
        return false;
    }
}
