package dev.tulle.cli.demo;

import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import dev.tulle.cli.client.Json;
import java.io.IOException;
import java.io.InputStream;
import java.net.HttpURLConnection;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** Sends requests to the published product page, as a browser outside the mesh would. Blocks; one thread. */
final class Traffic {
    /**
     * One answer.
     *
     * @param status the HTTP status; 0 when there was none
     * @param version which version of reviews answered; empty when none did
     * @param took from the first byte sent to the last byte received
     */
    record Answer(int status, String version, Duration took) {}

    private static final Duration TIMEOUT = Duration.ofSeconds(15);

    private final URI base;

    Traffic(URI base) {
        this.base = base;
    }

    /** Asks the product page for the reviews on behalf of a user; an empty user is nobody. */
    Answer reviews(String user) {
        return get("/api/v1/products/0/reviews" + (user.isEmpty() ? "" : "?u=" + user));
    }

    /** As many requests in turn. */
    List<Answer> reviews(String user, int count) {
        List<Answer> answers = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            answers.add(reviews(user));
        }
        return answers;
    }

    /**
     * Sends requests for the given time, which begins now.
     *
     * @return when the last request began that another version answered, from now on; zero when none did
     */
    Duration untilOnly(String version, String user, Duration time) {
        long begun = System.nanoTime();
        Duration last = Duration.ZERO;
        // Twice the time, so that a change that comes too late is seen to come too late.
        for (long now = begun; now - begun < 2 * time.toNanos(); now = System.nanoTime()) {
            Answer answer = reviews(user);
            if (answer.status() != 200 || !answer.version().equals(version)) {
                last = Duration.ofNanos(now - begun).plusMillis(1);
            }
        }
        return last;
    }

    /** How many answers came from each version; failures are counted under their status. */
    static Map<String, Integer> split(List<Answer> answers) {
        Map<String, Integer> counts = new TreeMap<>();
        for (Answer answer : answers) {
            String key = answer.status() == 200 ? answer.version() : "status " + answer.status();
            counts.merge(key, 1, Integer::sum);
        }
        return counts;
    }

    private Answer get(String path) {
        long begun = System.nanoTime();
        try {
            HttpURLConnection connection =
                    (HttpURLConnection) base.resolve(path).toURL().openConnection();
            connection.setConnectTimeout((int) TIMEOUT.toMillis());
            connection.setReadTimeout((int) TIMEOUT.toMillis());
            int status = connection.getResponseCode();
            String body = "";
            try (InputStream in = status < 400 ? connection.getInputStream() : connection.getErrorStream()) {
                if (in != null) {
                    body = new String(in.readAllBytes(), StandardCharsets.UTF_8);
                }
            }
            return new Answer(status, version(body), Duration.ofNanos(System.nanoTime() - begun));
        } catch (IOException e) {
            return new Answer(0, "", Duration.ofNanos(System.nanoTime() - begun));
        }
    }

    private static String version(String body) {
        try {
            return Json.text(JsonParser.parseString(body).getAsJsonObject(), "version");
        } catch (JsonParseException | IllegalStateException e) {
            return "";
        }
    }
}
