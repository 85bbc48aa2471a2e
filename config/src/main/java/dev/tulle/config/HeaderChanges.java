package dev.tulle.config;

import dev.tulle.model.HeaderMutation;
import dev.tulle.model.HeaderMutation.Changes;
import dev.tulle.model.HeaderMutation.Field;
import dev.tulle.model.WireText;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * Decodes changes of header fields. Istio's values may hold Envoy's {@code %VARIABLES%}; Gateway API's are taken as they
 * are.
 */
final class HeaderChanges {
    private static final int MAX_VALUE = 8192;
    private static final String NAME = "letters, digits and '-'";

    private HeaderChanges() {}

    /** {@code headers: {request: …, response: …}} of Istio. */
    static HeaderMutation of(Fields owner) {
        Optional<Fields> headers = owner.object("headers");
        if (headers.isEmpty()) {
            return HeaderMutation.NONE;
        }
        Changes request =
                headers.get().object("request").map(f -> changes(f, true)).orElse(Changes.NONE);
        Changes response =
                headers.get().object("response").map(f -> changes(f, false)).orElse(Changes.NONE);
        headers.get().done();
        return new HeaderMutation(request, response);
    }

    private static Changes changes(Fields fields, boolean request) {
        List<String> remove = new ArrayList<>();
        for (Item item : fields.texts("remove")) {
            if (item.text().isEmpty() || isOwn(item.text())) {
                item.error("a header field, but not the host nor a pseudo header", "it cannot be removed");
            } else if (!Words.isToken(item.text())) {
                item.unsupportedForm(NAME, "not the name of a header field");
            } else {
                remove.add(item.text().toLowerCase(Locale.ROOT));
            }
        }
        List<Field> set = new ArrayList<>();
        List<Field> add = new ArrayList<>();
        for (Field field : fields(fields, "set", request)) {
            set.add(field);
        }
        for (Field field : fields(fields, "add", request)) {
            // There is one host: to add one is to set it, as Istio has it.
            (field.name().equals("host") ? set : add).add(field);
        }
        fields.done();
        return new Changes(set, add, remove);
    }

    private static List<Field> fields(Fields owner, String name, boolean request) {
        List<Field> out = new ArrayList<>();
        owner.object(name).ifPresent(map -> {
            for (String header : map.names()) {
                map.string(header)
                        .flatMap(value -> field(map, header, value, request))
                        .ifPresent(out::add);
            }
        });
        return out;
    }

    /** One entry of a mapping from names to values, as Istio has it; empty after a problem was reported. */
    static Optional<Field> field(Fields map, String name, String value, boolean request) {
        if (name.isEmpty()) {
            map.error(name, NAME, "an empty name");
            return Optional.empty();
        }
        boolean host = name.equalsIgnoreCase("host") || name.equals(":authority");
        if (isOwn(name) && !(host && request)) {
            map.error(
                    name,
                    request ? "a header field, Host or :authority" : "a header field, but not the host",
                    "this cannot be changed");
            return Optional.empty();
        }
        if (!host && !Words.isToken(name)) {
            map.unsupportedForm(name, NAME, "not the name of a header field");
            return Optional.empty();
        }
        if (value.isEmpty()) {
            // Envoy neither sets nor adds an empty value, and leaves what is there.
            map.warning(name, "a value, or the name in remove", "an empty value changes nothing");
            return Optional.empty();
        }
        if (!checkTemplate(map, name, value)) {
            return Optional.empty();
        }
        String plain = value.replace("%%", "%");
        String key = host ? "host" : name.toLowerCase(Locale.ROOT);
        return checkValue(map, name, key, plain) ? Optional.of(new Field(key, plain)) : Optional.empty();
    }

    /** True for what is part of the request itself. */
    private static boolean isOwn(String name) {
        return name.startsWith(":") || name.equalsIgnoreCase("host");
    }

    private static boolean checkTemplate(Fields fields, String at, String value) {
        if (value.chars().anyMatch(c -> (c < ' ' && c != '\t') || c == 0x7f)) {
            fields.error(at, "one line of text", "not the value of a header field");
            return false;
        }
        return switch (HeaderTemplate.of(value)) {
            case FIXED -> true;
            case VARIABLE -> {
                fields.unsupportedValue(
                        at, "substitution of %VARIABLES%", "a fixed value, in which %% stands for one '%'");
                yield false;
            }
            case BROKEN -> {
                fields.error(at, "%VARIABLE%, or %% for one '%'", "a '%' that begins no variable");
                yield false;
            }
        };
    }

    /** One entry of a list of names and values, as Gateway API has it; empty after a problem was reported. */
    static Optional<Field> gatewayField(Fields entry) {
        String name = gatewayName(entry);
        String value = entry.requiredString("value");
        if (value.length() > 4096) {
            entry.error("value", "at most 4096 characters", "too long");
            return Optional.empty();
        }
        String key = name.toLowerCase(Locale.ROOT);
        return !name.isEmpty() && checkValue(entry, "value", key, value)
                ? Optional.of(new Field(key, value))
                : Optional.empty();
    }

    /** The name of a header field or of a query parameter in Gateway API; empty after a problem was reported. */
    static String gatewayName(Fields entry) {
        String name = entry.requiredString("name");
        if (!name.isEmpty() && !Words.isToken(name)) {
            entry.error("name", WireText.HEADER_NAME.expected() + ", at most 256", "not a name");
            return "";
        }
        return name;
    }

    /** Reports what cannot be sent as it is. */
    private static boolean checkValue(Fields fields, String at, String key, String value) {
        if (key.equals("host") && WireText.AUTHORITY.fault(value).isPresent()) {
            fields.unsupportedForm(at, WireText.AUTHORITY.expected(), "not a host");
            return false;
        }
        if (value.length() <= MAX_VALUE && value.chars().allMatch(c -> c == '\t' || (c >= ' ' && c < 0x7f))) {
            return true;
        }
        fields.unsupportedForm(
                at, "printable ASCII characters, at most " + MAX_VALUE, "not the value of a header field");
        return false;
    }
}
