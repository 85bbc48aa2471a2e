package dev.tulle.samples.bookinfo;

import com.sun.net.httpserver.Headers;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Executors;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Asks the ratings service. Any thread; a call blocks it until the answer, a failure or the
 * timeout.
 */
final class RatingsClient {
    /** Headers copied from the request being served to the request made for it. */
    private static final List<String> FORWARDED_HEADERS = List.of(
            "x-request-id",
            "traceparent",
            "tracestate",
            "baggage",
            "b3",
            "x-b3-traceid",
            "x-b3-spanid",
            "x-b3-parentspanid",
            "x-b3-sampled",
            "x-b3-flags",
            "end-user",
            "user-agent");

    /** The object of stars, and one entry of it; enough JSON for an answer of this one service. */
    private static final Pattern RATINGS = Pattern.compile("\"ratings\"\\s*:\\s*\\{([^{}]*)\\}");

    private static final Pattern RATING = Pattern.compile("\"(\\w+)\"\\s*:\\s*([0-5])(?![\\d.])");

    private final HttpClient client;
    private final URI uri;
    private final Duration timeout;

    private RatingsClient(HttpClient client, URI uri, Duration timeout) {
        this.client = client;
        this.uri = uri;
        this.timeout = timeout;
    }

    /**
     * A client by {@code RATINGS_URL} (default http://ratings:9080), {@code TIMEOUT_SECONDS}
     * (default 5), {@code CLIENT_IDLE_SECONDS} (default 5), {@code http_proxy} and
     * {@code no_proxy}.
     */
    static RatingsClient fromEnvironment() {
        String url = Environment.get("RATINGS_URL", "http://ratings:9080");
        if (!url.startsWith("http://")) {
            throw Environment.refuse("RATINGS_URL", url, "http://HOST[:PORT][/PREFIX]");
        }
        // Read once, when the JDK's client loads. A name that is missing now may be there at the
        // next call, so failures of the resolver are not remembered.
        System.setProperty("jdk.httpclient.keepalive.timeout", idleSeconds());
        System.setProperty("sun.net.inetaddr.ttl", "5");
        System.setProperty("sun.net.inetaddr.negative.ttl", "0");
        Duration timeout = Environment.seconds("TIMEOUT_SECONDS", 5);
        HttpClient client = HttpClient.newBuilder()
                // No offer to upgrade to HTTP/2: it would ride on every plain request.
                .version(HttpClient.Version.HTTP_1_1)
                .connectTimeout(timeout)
                .proxy(EnvironmentProxySelector.fromEnvironment())
                .executor(Executors.newVirtualThreadPerTaskExecutor())
                .build();
        String base = url.endsWith("/") ? url.substring(0, url.length() - 1) : url;
        return new RatingsClient(client, URI.create(base + "/ratings/0"), timeout);
    }

    private static String idleSeconds() {
        return Long.toString(Environment.seconds("CLIENT_IDLE_SECONDS", 5).toSeconds());
    }

    /** Stars by reviewer; empty if ratings gave no usable answer. */
    Map<String, Integer> ratings(Headers requestHeaders) {
        HttpRequest.Builder request =
                HttpRequest.newBuilder(uri).timeout(timeout).GET();
        for (String name : FORWARDED_HEADERS) {
            List<String> values = requestHeaders.get(name);
            if (values != null) {
                request.setHeader(name, String.join(", ", values));
            }
        }
        try {
            var response = client.send(request.build(), BodyHandlers.ofString());
            if (response.statusCode() == 200) {
                return parse(response.body());
            }
            System.out.println("ratings answered with status " + response.statusCode());
        } catch (IOException e) {
            System.out.println("ratings gave no answer: " + e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        return Map.of();
    }

    private static Map<String, Integer> parse(String json) {
        Map<String, Integer> stars = new HashMap<>();
        Matcher object = RATINGS.matcher(json);
        if (object.find()) {
            Matcher entry = RATING.matcher(object.group(1));
            while (entry.find()) {
                stars.put(entry.group(1), Integer.valueOf(entry.group(2)));
            }
        }
        return stars;
    }
}
