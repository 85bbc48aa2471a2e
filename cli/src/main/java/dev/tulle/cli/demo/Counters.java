package dev.tulle.cli.demo;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import dev.tulle.cli.client.CommandFailure;
import dev.tulle.cli.client.Json;
import dev.tulle.cli.client.MeshClient;
import dev.tulle.cli.client.MeshPlace;
import dev.tulle.common.Reason;
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.UnaryOperator;
import java.util.stream.Collectors;

/**
 * What the kernel and the proxy have counted so far.
 *
 * @param kernel the kernel programs' counters by name
 * @param proxy requests that the proxy forwarded, by where they went
 */
record Counters(Map<String, Long> kernel, Map<String, Long> proxy) {
    /** Nothing counted yet. */
    static final Counters NONE = new Counters(Map.of(), Map.of());

    private static final Set<String> NAMES =
            Arrays.stream(Reason.values()).map(Reason::name).collect(Collectors.toUnmodifiableSet());

    private static final int MOST_LINES = 6;

    private static final String REQUESTS = "istio_requests_total{";

    Counters {
        kernel = Map.copyOf(kernel);
        proxy = Map.copyOf(proxy);
    }

    /** Reads both; a role that does not answer counts nothing. */
    static Counters read(MeshPlace place, int proxyMetricsPort) {
        Map<String, Long> kernel = new TreeMap<>();
        try (MeshClient agent = MeshClient.agent(place)) {
            JsonObject status = agent.object("status", new JsonObject());
            for (Map.Entry<String, JsonElement> counter :
                    Json.object(status, "counters").entrySet()) {
                if (NAMES.contains(counter.getKey())) {
                    kernel.put(counter.getKey(), Json.number(Json.object(status, "counters"), counter.getKey()));
                }
            }
        } catch (CommandFailure failure) {
            kernel.clear();
        }
        return new Counters(kernel, proxyRequests(proxyMetricsPort));
    }

    private static Map<String, Long> proxyRequests(int port) {
        Map<String, Long> requests = new TreeMap<>();
        URI metrics = URI.create("http://127.0.0.1:" + port + "/stats/prometheus");
        try (InputStream in = metrics.toURL().openStream()) {
            new String(in.readAllBytes(), StandardCharsets.UTF_8)
                    .lines()
                    .filter(line -> line.startsWith(REQUESTS))
                    .forEach(line -> addRequest(line, requests));
        } catch (IOException e) {
            requests.clear();
        }
        return requests;
    }

    private static void addRequest(String line, Map<String, Long> requests) {
        int value = line.lastIndexOf(' ');
        String service = label(line, "destination_service_name");
        String workload = label(line, "destination_workload");
        String code = label(line, "response_code");
        String where = workload.isEmpty() || workload.equals("unknown") ? service : workload;
        requests.merge(
                code.startsWith("2") ? where : where + " (status " + code + ")",
                (long) Double.parseDouble(line.substring(value + 1)),
                Long::sum);
    }

    private static String label(String line, String name) {
        String key = name + "=\"";
        int start = line.indexOf(key);
        if (start < 0) {
            return "";
        }
        int from = start + key.length();
        int end = line.indexOf('"', from);
        return end < 0 ? "" : line.substring(from, end);
    }

    /** What the kernel added since an earlier reading: a line for each counter, the largest first. */
    List<String> kernelSince(Counters earlier) {
        return since(kernel, earlier.kernel, name -> Reason.valueOf(name).text());
    }

    /** What the proxy added since an earlier reading: a line for each destination, the largest first. */
    List<String> proxySince(Counters earlier) {
        return since(proxy, earlier.proxy, name -> "requests to " + name);
    }

    private static List<String> since(Map<String, Long> now, Map<String, Long> earlier, UnaryOperator<String> words) {
        record Change(String name, long added) {}
        List<Change> changes = new ArrayList<>();
        now.forEach((name, value) -> {
            long added = value - earlier.getOrDefault(name, 0L);
            if (added > 0) {
                changes.add(new Change(name, added));
            }
        });
        changes.sort(Comparator.comparingLong(Change::added).reversed().thenComparing(Change::name));
        List<String> lines = new ArrayList<>();
        for (Change change : changes.subList(0, Math.min(MOST_LINES, changes.size()))) {
            lines.add(String.format(Locale.ROOT, "%,9d  %s", change.added(), words.apply(change.name())));
        }
        return lines;
    }
}
