package dev.tulle.model;

import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** Which coding a client gets of those that are offered, by its Accept-Encoding (RFC 9110 section 12.5.3). Pure. */
public final class AcceptEncoding {
    private static final int WHOLE = 1000;

    private AcceptEncoding() {}

    /**
     * The coding that the client likes best; of those that it likes alike the first that is offered. None where it says
     * nothing, takes none of them, or likes the bare body better.
     *
     * @param lines values of the field, each a list
     */
    public static Optional<Coding> choose(List<String> lines, List<Coding> offered) {
        Map<String, Integer> weights = new HashMap<>();
        for (String line : lines) {
            for (String item : line.split(",", -1)) {
                add(item, weights);
            }
        }
        Coding best = null;
        // Who does not speak of the bare body takes any other that he names before it.
        int most = weights.getOrDefault("identity", 0);
        for (Coding coding : offered) {
            int weight = weights.getOrDefault(coding.token(), weights.getOrDefault("*", 0));
            boolean equal = best == null && weight == most && weight > 0;
            if (weight > most || equal) {
                best = coding;
                most = weight;
            }
        }
        return Optional.ofNullable(best);
    }

    /** What is said twice holds as it was said first; what cannot be read says nothing. */
    private static void add(String item, Map<String, Integer> weights) {
        int semicolon = item.indexOf(';');
        String name =
                (semicolon < 0 ? item : item.substring(0, semicolon)).strip().toLowerCase(Locale.ROOT);
        Integer weight = semicolon < 0 ? Integer.valueOf(WHOLE) : weight(item.substring(semicolon + 1));
        if (!name.isEmpty() && weight != null) {
            weights.putIfAbsent(name.equals("x-gzip") ? "gzip" : name, weight);
        }
    }

    /** In thousandths: {@code q=0.5} is 500; another parameter says nothing. Null for a weight that is none. */
    private static @Nullable Integer weight(String parameter) {
        String text = parameter.strip();
        if (!text.startsWith("q=") && !text.startsWith("Q=")) {
            return WHOLE;
        }
        if (text.length() == 2) {
            return null;
        }
        String number = text.substring(2);
        boolean one = number.charAt(0) == '1';
        if ((!one && number.charAt(0) != '0') || number.length() > 5) {
            return null;
        }
        if (number.length() > 1 && number.charAt(1) != '.') {
            return null;
        }
        int weight = one ? WHOLE : 0;
        int unit = WHOLE;
        for (int i = 2; i < number.length(); i++) {
            int digit = number.charAt(i) - '0';
            unit /= 10;
            if (digit < 0 || digit > 9 || (one && digit > 0)) {
                return null;
            }
            weight += digit * unit;
        }
        return weight;
    }
}
