package dev.tulle.telemetry;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/** Prometheus' text exposition format, version 0.0.4. */
final class PrometheusText {
    private PrometheusText() {}

    static void head(Appendable out, String name, String help, String type) throws IOException {
        out.append("# HELP ").append(name).append(' ');
        out.append(help.replace("\\", "\\\\").replace("\n", "\\n")).append('\n');
        // Some of Istio's counters lack the ending that every counter must have: their names stay, the type is left
        // open.
        String shown = type.equals("counter") && !name.endsWith("_total") ? "untyped" : type;
        out.append("# TYPE ").append(name).append(' ').append(shown).append('\n');
    }

    private record Series(List<String> values, Object metric) {}

    static void write(Appendable out, MetricFamily<?> family) throws IOException {
        List<Series> all = new ArrayList<>();
        family.forEach((values, metric) -> all.add(new Series(values, metric)));
        if (all.isEmpty()) {
            return;
        }
        head(out, family.name(), family.help(), family.type());
        for (Series series : all) {
            String labels = labels(family.labels(), series.values);
            switch (series.metric) {
                case Counter counter -> line(out, family.name(), labels, Long.toString(counter.value()));
                case Gauge gauge -> line(out, family.name(), labels, Long.toString(gauge.value()));
                case Histogram histogram -> histogram(out, family.name(), labels, histogram);
                default -> throw new IllegalStateException(family.name() + ": unknown kind of series");
            }
        }
    }

    private static void histogram(Appendable out, String name, String labels, Histogram histogram) throws IOException {
        String more = labels.isEmpty() ? "" : labels + ",";
        long count = 0;
        for (int i = 0; i < histogram.boundCount(); i++) {
            count += histogram.inBucket(i);
            line(out, name + "_bucket", more + "le=\"" + number(histogram.bound(i)) + "\"", Long.toString(count));
        }
        count += histogram.inBucket(histogram.boundCount());
        line(out, name + "_bucket", more + "le=\"+Inf\"", Long.toString(count));
        line(out, name + "_sum", labels, number(histogram.sum()));
        line(out, name + "_count", labels, Long.toString(count));
    }

    private static void line(Appendable out, String name, String labels, String value) throws IOException {
        out.append(name);
        if (!labels.isEmpty()) {
            out.append('{').append(labels).append('}');
        }
        out.append(' ').append(value).append('\n');
    }

    private static String number(double value) {
        return value == Math.rint(value) && Math.abs(value) < 1e15
                ? Long.toString((long) value)
                : Double.toString(value);
    }

    private static String labels(List<String> names, List<String> values) {
        StringBuilder out = new StringBuilder();
        for (int i = 0; i < names.size(); i++) {
            String value = values.get(i);
            if (value.equals(MetricFamily.ABSENT)) {
                continue;
            }
            if (!out.isEmpty()) {
                out.append(',');
            }
            out.append(names.get(i)).append("=\"");
            for (int c = 0; c < value.length(); c++) {
                switch (value.charAt(c)) {
                    case '\\' -> out.append("\\\\");
                    case '"' -> out.append("\\\"");
                    case '\n' -> out.append("\\n");
                    default -> out.append(value.charAt(c));
                }
            }
            out.append('"');
        }
        return out.toString();
    }
}
