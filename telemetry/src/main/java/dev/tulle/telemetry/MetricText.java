package dev.tulle.telemetry;

import java.math.BigDecimal;
import java.util.Collection;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** Sums of metrics of several processes, in Prometheus' text format as {@link MetricRegistry} writes it. What cannot be read is left out. Stateless. */
public final class MetricText {
    /** Characters of a value: those of any double. */
    private static final int DIGITS_MAX = 40;

    /** Of a double, the largest. */
    private static final int EXPONENT_MAX = 400;

    private MetricText() {}

    /**
     * Adds the counters and histograms of other processes to those of one. Gauges are the one's own: what another
     * process holds open at the moment is not added.
     *
     * @param own the process whose gauges and order are kept
     * @param others what is added
     */
    public static String sum(String own, Collection<String> others) {
        if (others.isEmpty()) {
            return own;
        }
        // A family's name to its lines of head, then its series in order.
        Map<String, StringBuilder> heads = new LinkedHashMap<>();
        Map<String, Map<String, BigDecimal>> families = new LinkedHashMap<>();
        Set<String> gauges = new HashSet<>();
        read(own, true, heads, families, gauges);
        others.forEach(other -> read(other, false, heads, families, gauges));
        StringBuilder out = new StringBuilder(own.length() + 1024);
        families.forEach((family, series) -> {
            out.append(heads.getOrDefault(family, new StringBuilder()));
            series.forEach((name, value) -> out.append(name)
                    .append(' ')
                    .append(value.stripTrailingZeros().toPlainString())
                    .append('\n'));
        });
        return out.toString();
    }

    private static void read(
            String text,
            boolean own,
            Map<String, StringBuilder> heads,
            Map<String, Map<String, BigDecimal>> families,
            Set<String> gauges) {
        String family = "";
        boolean known = false;
        for (String line : text.lines().toList()) {
            if (line.startsWith("# ")) {
                String[] words = line.split(" ", 4);
                if (words.length < 4) {
                    continue;
                }
                if (!words[2].equals(family)) {
                    family = words[2];
                    known = heads.containsKey(family);
                }
                if (!known) {
                    heads.computeIfAbsent(family, _ -> new StringBuilder())
                            .append(line)
                            .append('\n');
                }
                if (words[1].equals("TYPE") && words[3].equals("gauge")) {
                    gauges.add(family);
                }
                continue;
            }
            int end = line.lastIndexOf(' ');
            if (end > 0 && (own || !gauges.contains(family))) {
                String name = line.substring(0, end);
                Map<String, BigDecimal> series = families.computeIfAbsent(family, _ -> new LinkedHashMap<>());
                number(line.substring(end + 1)).ifPresent(value -> series.merge(name, value, BigDecimal::add));
            }
        }
    }

    /** A value; empty for what cannot be added up, also a number that would have thousands of digits. */
    private static Optional<BigDecimal> number(String text) {
        if (text.length() > DIGITS_MAX) {
            return Optional.empty();
        }
        try {
            BigDecimal value = new BigDecimal(text);
            return Math.abs(value.scale()) > EXPONENT_MAX ? Optional.empty() : Optional.of(value);
        } catch (NumberFormatException e) {
            return Optional.empty();
        }
    }
}
