package dev.tulle.config;

import java.time.Duration;
import java.util.Collection;
import java.util.Locale;
import java.util.Optional;
import java.util.regex.Pattern;

/** Small readers of words: durations, addresses, names, and the guess at what a misspelt word meant. Pure. */
final class Words {
    private static final int MAX_GUESS = 64;
    private static final Pattern GATEWAY_NAME =
            Pattern.compile("LABEL(?:\\.LABEL)*+".replace("LABEL", "[a-z0-9](?:[-a-z0-9]*+(?<=[a-z0-9]))?+"));
    private static final Pattern GATEWAY_DURATION = Pattern.compile("(?:[0-9]{1,5}(?:h|ms|m|s)){1,4}");

    private Words() {}

    /** Durations as Go writes them ({@code 1.5s}, {@code 2h30m}, {@code 100ms}); empty when it is none. */
    static Optional<Duration> duration(String text) {
        if (text.equals("0")) {
            return Optional.of(Duration.ZERO);
        }
        if (text.isEmpty() || text.length() > 40) {
            return Optional.empty();
        }
        double nanos = 0;
        int at = 0;
        while (at < text.length()) {
            int number = at;
            while (at < text.length() && (Character.digit(text.charAt(at), 10) >= 0 || text.charAt(at) == '.')) {
                at++;
            }
            int unit = at;
            while (at < text.length() && Character.isLetter(text.charAt(at))) {
                at++;
            }
            double scale = unitNanos(text.substring(unit, at));
            String digits = text.substring(number, unit);
            if (scale == 0
                    || digits.isEmpty()
                    || digits.equals(".")
                    || digits.indexOf('.') != digits.lastIndexOf('.')) {
                return Optional.empty();
            }
            nanos += Double.parseDouble(digits) * scale;
        }
        return nanos <= Long.MAX_VALUE / 2.0 ? Optional.of(Duration.ofNanos(Math.round(nanos))) : Optional.empty();
    }

    /** Why Istio would not take a duration; empty when it would. */
    static Optional<String> millisecondsFault(Duration duration) {
        if (duration.compareTo(Duration.ofMillis(1)) < 0) {
            return Optional.of("shorter than a millisecond");
        }
        return duration.toNanosPart() % 1_000_000 == 0 ? Optional.empty() : Optional.of("finer than milliseconds");
    }

    /** True for what Gateway API takes as a duration. */
    static boolean isGatewayDuration(String text) {
        return GATEWAY_DURATION.matcher(text).matches();
    }

    private static double unitNanos(String unit) {
        return switch (unit) {
            case "h" -> 3600e9;
            case "m" -> 60e9;
            case "s" -> 1e9;
            case "ms" -> 1e6;
            case "us", "µs", "μs" -> 1e3;
            case "ns" -> 1;
            default -> 0;
        };
    }

    /** True for an IPv4 or IPv6 address in text form. */
    static boolean isIpAddress(String text) {
        return isIpv4(text) || isIpv6(text);
    }

    static boolean isIpv4(String text) {
        String[] parts = text.split("\\.", -1);
        if (parts.length != 4) {
            return false;
        }
        for (String part : parts) {
            if (part.isEmpty() || part.length() > 3 || !allDigits(part) || Integer.parseInt(part) > 255) {
                return false;
            }
        }
        return true;
    }

    private static boolean isIpv6(String text) {
        if (text.length() < 2 || text.length() > 45 || text.indexOf(':') < 0) {
            return false;
        }
        String rest = text;
        int groups = 8;
        int dot = text.indexOf('.');
        if (dot >= 0) {
            int colon = text.lastIndexOf(':');
            if (!isIpv4(text.substring(colon + 1))) {
                return false;
            }
            rest = text.substring(0, colon + 1) + "0:0";
        }
        int gap = rest.indexOf("::");
        if (gap >= 0 && rest.indexOf("::", gap + 1) >= 0) {
            return false;
        }
        int count = 0;
        for (String half :
                gap >= 0 ? new String[] {rest.substring(0, gap), rest.substring(gap + 2)} : new String[] {rest}) {
            if (half.isEmpty()) {
                continue;
            }
            for (String group : half.split(":", -1)) {
                if (group.isEmpty()
                        || group.length() > 4
                        || !group.chars().allMatch(c -> Character.digit(c, 16) >= 0)) {
                    return false;
                }
                count++;
            }
        }
        return gap >= 0 ? count < groups : count == groups;
    }

    private static boolean allDigits(String text) {
        return text.chars().allMatch(c -> c >= '0' && c <= '9');
    }

    /** True for a name of labels joined by dots, each of lower-case letters, digits and inner hyphens. */
    static boolean isDnsName(String text) {
        if (text.isEmpty() || text.length() > 253) {
            return false;
        }
        for (String label : text.split("\\.", -1)) {
            if (!isDnsLabel(label)) {
                return false;
            }
        }
        return true;
    }

    /** True for {@link #isDnsName} names whose labels may be longer than DNS allows, which is what Gateway API takes. */
    static boolean isDnsDomain(String text) {
        return text.length() <= 253 && GATEWAY_NAME.matcher(text).matches();
    }

    static boolean isDnsLabel(String label) {
        return !label.isEmpty()
                && label.length() <= 63
                && label.charAt(0) != '-'
                && label.charAt(label.length() - 1) != '-'
                && label.chars().allMatch(c -> (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-');
    }

    /** True for the name of a header field. */
    static boolean isToken(String text) {
        return !text.isEmpty()
                && text.length() <= 256
                && text.chars()
                        .allMatch(c -> (c >= 'a' && c <= 'z')
                                || (c >= 'A' && c <= 'Z')
                                || (c >= '0' && c <= '9')
                                || "!#$%&'*+-.^_`|~".indexOf(c) >= 0);
    }

    /** The known word nearest to a misspelt one, if any is near. */
    static Optional<String> nearest(String word, Collection<String> known) {
        if (word.length() > MAX_GUESS) {
            return Optional.empty();
        }
        String best = null;
        int bestDistance = Math.max(1, word.length() / 3) + 1;
        for (String candidate : known) {
            int distance = distance(word.toLowerCase(Locale.ROOT), candidate.toLowerCase(Locale.ROOT));
            if (distance < bestDistance) {
                best = candidate;
                bestDistance = distance;
            }
        }
        return Optional.ofNullable(best);
    }

    /** Edits (insert, delete, replace) from one word to the other. */
    private static int distance(String a, String b) {
        int[] previous = new int[b.length() + 1];
        for (int j = 0; j <= b.length(); j++) {
            previous[j] = j;
        }
        for (int i = 1; i <= a.length(); i++) {
            int[] row = new int[b.length() + 1];
            row[0] = i;
            for (int j = 1; j <= b.length(); j++) {
                int replace = previous[j - 1] + (a.charAt(i - 1) == b.charAt(j - 1) ? 0 : 1);
                row[j] = Math.min(replace, Math.min(previous[j], row[j - 1]) + 1);
            }
            previous = row;
        }
        return previous[b.length()];
    }
}
