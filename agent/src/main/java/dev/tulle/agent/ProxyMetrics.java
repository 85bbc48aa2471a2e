package dev.tulle.agent;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.URI;
import java.net.URLConnection;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Consumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** What the node proxy's metrics say. Stateless; blocks for two seconds at most where the proxy does not answer. */
final class ProxyMetrics {
    private static final int PATIENCE_MILLIS = 1_000;

    private static final Pattern OVER =
            Pattern.compile("tulle_proxy_over_share_total\\{workload=\"([^\"]*)\",what=\"([^\"]*)\"} ([0-9]+)");

    private ProxyMetrics() {}

    /**
     * Reads the exposition.
     *
     * @throws IOException when the proxy does not tell
     */
    static void lines(int port, Consumer<String> line) throws IOException {
        URLConnection connection =
                URI.create("http://127.0.0.1:" + port + "/metrics").toURL().openConnection();
        connection.setConnectTimeout(PATIENCE_MILLIS);
        connection.setReadTimeout(PATIENCE_MILLIS);
        try (BufferedReader lines =
                new BufferedReader(new InputStreamReader(connection.getInputStream(), StandardCharsets.UTF_8))) {
            lines.lines().forEach(line);
        }
    }

    /** Who wanted more than his share of the proxy; empty when the proxy does not tell. */
    static JsonArray overShare(int port) {
        Map<String, List<String>> byWorkload = new TreeMap<>();
        try {
            lines(port, line -> over(line, byWorkload));
        } catch (IOException | java.io.UncheckedIOException e) {
            return new JsonArray();
        }
        JsonArray all = new JsonArray();
        byWorkload.forEach((workload, parts) -> {
            JsonObject one = new JsonObject();
            one.addProperty("workload", workload);
            one.addProperty("resource", "proxy");
            one.addProperty("text", String.join(", ", parts) + ", since the proxy started");
            all.add(one);
        });
        return all;
    }

    static void over(String line, Map<String, List<String>> byWorkload) {
        Matcher matcher = OVER.matcher(line);
        if (matcher.matches()) {
            byWorkload
                    .computeIfAbsent(matcher.group(1), workload -> new ArrayList<>())
                    .add(matcher.group(3) + " " + matcher.group(2).replace('_', ' '));
        }
    }
}
