package dev.tulle.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import dev.tulle.testkit.MeshLab;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Proves that of the requests that the kernel forwards about as many as asked for become lines in the proxy's form, and
 * that an endpoint's failures are counted one after the other whichever way each request went.
 */
@Tag("e2e")
class RequestRecordsTest {
    private static final int REQUESTS = 2_000;
    private static final int ONE_IN = 10;

    private static final Pattern LINE = Pattern.compile(
            "\\[20\\S+Z] \"GET /(200|503)\\?way=kernel HTTP/1.1\" \\1 - \"via_kernel_sampled_1_in_10\" 0 2 \\d+ \\d+"
                    + " \"-\" \"asks\" \"-\" \"web\" \"100\\.68\\.\\S+:9080\""
                    + " outbound\\|9080\\|\\|web\\.default\\.svc\\.cluster\\.local 240\\.\\S+:9080 100\\.68\\.\\S+:\\d+"
                    + " \\S+ default/ask");

    @TempDir
    Path dir;

    @Test
    void samplesAndSeriesOfBothWays() throws Exception {
        Files.setPosixFilePermissions(dir, PosixFilePermissions.fromString("rwxrwxrwx"));
        Path log = dir.resolve("access.log");
        try (MeshLab lab =
                MeshLab.start(null, "--http-sample", Integer.toString(ONE_IN), "--access-log", log.toString())) {
            lab.workload(
                    "web",
                    List.of("--service", "web", "--port", "http:9080", "--splice", "on"),
                    List.of("python3", lab.program("status.py").toString(), "9080"));
            lab.await("the kernel forwards", Duration.ofSeconds(30), () -> {
                try {
                    return ask(lab, "200x20") && kernelRequests(lab) > 0;
                } catch (Exception e) {
                    throw new AssertionError(e);
                }
            });

            long before = kernelRequests(lab);
            int linesBefore = kernelLines(log).size();
            assertTrue(ask(lab, "200x" + REQUESTS));
            long forwarded = kernelRequests(lab) - before;
            assertTrue(forwarded > REQUESTS * 9 / 10, forwarded + " of " + REQUESTS);
            lab.await(
                    "about " + forwarded / ONE_IN + " lines of samples",
                    Duration.ofSeconds(5),
                    () -> kernelLines(log).size() - linesBefore > forwarded / ONE_IN * 2 / 3);
            assertTrue(kernelLines(log).size() - linesBefore < forwarded / ONE_IN * 3 / 2, "too many");

            series(lab, 0);
            assertTrue(ask(lab, "503x20", "503x5xchunked", "503x10", "503x2xchunked", "503x3"));
            JsonObject outlier = series(lab, 40);
            assertEquals(40, outlier.get("errors5xx").getAsLong(), outlier.toString());
            assertEquals(0, outlier.get("localFailures").getAsLong(), outlier.toString());
            JsonObject kernel = endpoint(lab);
            assertTrue(kernel.get("kernel5xx").getAsLong() >= 20, kernel.toString());
            assertTrue(kernel.get("kernel5xx").getAsLong() <= 33, kernel.toString());
            // Each way ends what the other has begun.
            assertTrue(ask(lab, "200x1xchunked"));
            series(lab, 0);
            assertTrue(ask(lab, "200x5", "503x4xchunked", "500x1xchunked", "503x7xchunked", "200x5"));
            series(lab, 0);

            for (String line : kernelLines(log)) {
                assertTrue(LINE.matcher(line).matches(), line);
            }
            long chunked = Files.readAllLines(log).stream()
                    .filter(line -> line.contains("way=proxy"))
                    .count();
            assertEquals(5 + 2 + 1 + 4 + 1 + 7, chunked, "the proxy logs each of its own");
        }
    }

    private static List<String> kernelLines(Path log) {
        Path file = log.resolveSibling("access.log.kernel");
        try {
            return Files.exists(file) ? Files.readAllLines(file) : List.of();
        } catch (java.io.IOException e) {
            throw new AssertionError(e);
        }
    }

    private static boolean ask(MeshLab lab, String... words) throws Exception {
        List<String> command = new ArrayList<>(List.of("run", "--name", "ask", "--splice", "on", "--", "python3"));
        command.addAll(List.of(lab.program("asks.py").toString(), "web", "9080"));
        int wanted = 0;
        for (String word : words) {
            command.add(word);
            wanted += Integer.parseInt(word.split("x")[1]);
        }
        return lab.tulle(command.toArray(String[]::new)).run().out().strip().equals(Integer.toString(wanted));
    }

    private static JsonObject port(MeshLab lab) throws Exception {
        JsonObject report = JsonParser.parseString(
                        lab.tulle("status", "--paths", "-o", "json").ok().out())
                .getAsJsonObject();
        for (JsonElement port : report.getAsJsonArray("ports")) {
            if (port.getAsJsonObject().get("service").getAsString().startsWith("web.")) {
                return port.getAsJsonObject();
            }
        }
        return new JsonObject();
    }

    private static long kernelRequests(MeshLab lab) throws Exception {
        JsonObject port = port(lab);
        return port.has("requests")
                ? port.getAsJsonObject("requests").get("kernel").getAsLong()
                : 0;
    }

    private static JsonObject endpoint(MeshLab lab) throws Exception {
        JsonObject port = port(lab);
        assertEquals(1, port.getAsJsonArray("endpoints").size(), port.toString());
        return port.getAsJsonArray("endpoints").get(0).getAsJsonObject();
    }

    /** Both reports say that this many requests failed one after the other; what the proxy's has. */
    private static JsonObject series(MeshLab lab, long length) throws Exception {
        JsonObject kernel = endpoint(lab);
        JsonObject outlier = clusters(lab);
        for (String name : List.of("consecutive5xx", "consecutiveGatewayErrors")) {
            assertEquals(length, kernel.get(name).getAsLong(), kernel.toString());
            assertEquals(length, outlier.get(name).getAsLong(), outlier.toString());
        }
        assertTrue(outlier.get("withKernel").getAsBoolean(), outlier.toString());
        return outlier;
    }

    private static JsonObject clusters(MeshLab lab) throws Exception {
        String page = lab.tulle("config proxy", "clusters", "-o", "json").ok().out();
        for (JsonElement cluster : JsonParser.parseString(page).getAsJsonArray()) {
            if (cluster.getAsJsonObject().get("cluster").getAsString().contains("|web.")) {
                return cluster.getAsJsonObject().getAsJsonObject("outlier");
            }
        }
        throw new AssertionError("no cluster of web: " + page);
    }
}
