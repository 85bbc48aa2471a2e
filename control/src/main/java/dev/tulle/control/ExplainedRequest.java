package dev.tulle.control;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import dev.tulle.model.PathNormalizer;
import dev.tulle.model.RequestView;
import java.net.URI;
import java.net.URISyntaxException;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * What a person typed who wants to know what becomes of it.
 *
 * @param web true for a URL, false for HOST:PORT
 * @param secure true for https
 */
record ExplainedRequest(
        String host,
        int port,
        boolean web,
        boolean secure,
        String path,
        String query,
        String authority,
        String method,
        Map<String, String> headers)
        implements RequestView {
    @Override
    public List<String> headers(String name) {
        String value = headers.get(name);
        return value == null ? List.of() : List.of(value);
    }

    @Override
    public String scheme() {
        return secure || "https".equals(headers.get("x-forwarded-proto")) ? "https" : "http";
    }

    /** True for requests that the mesh can read. */
    boolean http() {
        return web && !secure;
    }

    /** As the gateway reads it of a caller outside: what he says of proxies before him counts if any is trusted. */
    ExplainedRequest fromOutside(int trustedHops) {
        Map<String, String> believed = new HashMap<>(headers);
        believed.keySet().removeIf(name -> trustedHops == 0 && name.startsWith("x-forwarded-"));
        return new ExplainedRequest(host, port, web, secure, path, query, authority, method, believed);
    }

    static ExplainedRequest parse(JsonObject params) throws ApiFailure {
        String to = ControlApi.text(params, "to");
        String method = ControlApi.text(params, "method");
        Map<String, String> headers = new HashMap<>();
        if (params.get("headers") instanceof JsonObject given) {
            for (Map.Entry<String, JsonElement> header : given.entrySet()) {
                headers.put(header.getKey().toLowerCase(Locale.ROOT), ControlApi.text(given, header.getKey()));
            }
        }
        URI uri;
        try {
            uri = new URI(to.contains("://") ? to : "tcp://" + to);
        } catch (URISyntaxException e) {
            throw new ApiFailure("bad-request", "'" + to + "': expected http://host:port/path or host:port");
        }
        String scheme = uri.getScheme() == null ? "" : uri.getScheme().toLowerCase(Locale.ROOT);
        int port =
                switch (scheme) {
                    case "http" -> uri.getPort() < 0 ? 80 : uri.getPort();
                    case "https" -> uri.getPort() < 0 ? 443 : uri.getPort();
                    case "tcp" -> uri.getPort();
                    default ->
                        throw new ApiFailure(
                                "bad-request",
                                "'" + to + "': found the scheme '" + scheme + "', expected http, https or tcp");
                };
        if (uri.getHost() == null || port < 1 || port > 65535) {
            throw new ApiFailure("bad-request", "'" + to + "': expected http://host:port/path or host:port");
        }
        String path = uri.getRawPath() == null || uri.getRawPath().isEmpty() ? "/" : uri.getRawPath();
        String sentAuthority = headers.getOrDefault("host", uri.getRawAuthority());
        return new ExplainedRequest(
                withoutFinalDot(uri.getHost().toLowerCase(Locale.ROOT)),
                port,
                scheme.startsWith("http"),
                scheme.equals("https"),
                PathNormalizer.normalize(path),
                uri.getRawQuery() == null ? "" : uri.getRawQuery(),
                sentAuthority,
                method.isEmpty() ? "GET" : method,
                headers);
    }

    /** A name with a final dot is the same name, which no search list completes. */
    private static String withoutFinalDot(String host) {
        return host.endsWith(".") ? host.substring(0, host.length() - 1) : host;
    }
}
