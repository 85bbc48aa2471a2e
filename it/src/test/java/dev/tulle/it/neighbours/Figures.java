package dev.tulle.it.neighbours;

import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.IntStream;

/** What the quiet neighbour measured: of each of his ways how often, how many failures, and how long in microseconds. */
record Figures(Map<String, Way> ways) {
    /** What he does. */
    static final List<String> WAYS = List.of("kept", "new", "name");

    /**
     * One way.
     *
     * @param done how often
     * @param failed how often not
     * @param median microseconds
     * @param p99 microseconds
     * @param why of the first failures; {@code -} for none
     */
    record Way(int done, int failed, int median, int p99, String why) {}

    /** Reads the program's last lines. */
    static Figures parse(String printed) {
        Map<String, Way> ways = new TreeMap<>();
        for (String line : printed.lines().toList()) {
            String[] words = line.split(" ");
            if (words.length == 6 && WAYS.contains(words[0])) {
                ways.put(
                        words[0],
                        new Way(
                                Integer.parseInt(words[1]),
                                Integer.parseInt(words[2]),
                                Integer.parseInt(words[3]),
                                Integer.parseInt(words[4]),
                                words[5]));
            }
        }
        if (ways.size() != WAYS.size()) {
            throw new AssertionError("no figures: " + printed);
        }
        return new Figures(ways);
    }

    /** Of several measurements: all that was done, and of the times the median of each, as a busy machine spoils one. */
    static Figures median(List<Figures> all) {
        Map<String, Way> ways = new TreeMap<>();
        for (String name : WAYS) {
            List<Way> each = all.stream().map(figures -> figures.way(name)).toList();
            ways.put(
                    name,
                    new Way(
                            each.stream().mapToInt(Way::done).sum(),
                            each.stream().mapToInt(Way::failed).sum(),
                            median(each.stream().mapToInt(Way::median)),
                            median(each.stream().mapToInt(Way::p99)),
                            each.stream()
                                    .map(Way::why)
                                    .filter(why -> !why.equals("-"))
                                    .findFirst()
                                    .orElse("-")));
        }
        return new Figures(ways);
    }

    private static int median(IntStream values) {
        int[] sorted = values.sorted().toArray();
        return sorted[sorted.length / 2];
    }

    Way way(String name) {
        Way way = ways.get(name);
        if (way == null) {
            throw new AssertionError(name);
        }
        return way;
    }

    /** How many times longer the slowest hundredth takes than in other figures. */
    double times(String name, Figures quiet) {
        return (double) way(name).p99() / Math.max(1, quiet.way(name).p99());
    }

    /** One line of all of it, against the quiet ones. */
    String against(Figures quiet) {
        StringBuilder text = new StringBuilder();
        for (String name : WAYS) {
            Way way = way(name);
            text.append(String.format(
                    Locale.ROOT,
                    "%s %d us p99 (%.2fx, quiet %d), %d of %d failed%s; ",
                    name,
                    way.p99(),
                    times(name, quiet),
                    quiet.way(name).p99(),
                    way.failed(),
                    way.done() + way.failed(),
                    way.failed() > 0 ? " (" + way.why() + ")" : ""));
        }
        return text.toString();
    }
}
