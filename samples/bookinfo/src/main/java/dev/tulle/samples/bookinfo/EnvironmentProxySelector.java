package dev.tulle.samples.bookinfo;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Proxy;
import java.net.ProxySelector;
import java.net.SocketAddress;
import java.net.URI;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * Chooses the HTTP proxy that {@code http_proxy} (or {@code HTTP_PROXY}) names, except for the
 * hosts of {@code no_proxy}, as curl does. The JDK itself only knows system properties.
 */
final class EnvironmentProxySelector extends ProxySelector {
    private final Optional<Proxy> proxy;
    private final List<String> exceptions;

    private EnvironmentProxySelector(Optional<Proxy> proxy, List<String> exceptions) {
        this.proxy = proxy;
        this.exceptions = exceptions;
    }

    static EnvironmentProxySelector fromEnvironment() {
        String url = Environment.get("http_proxy", Environment.get("HTTP_PROXY", ""));
        String exceptions = Environment.get("no_proxy", Environment.get("NO_PROXY", ""));
        return new EnvironmentProxySelector(
                url.isEmpty() ? Optional.empty() : Optional.of(parse(url)),
                List.of(exceptions.toLowerCase(Locale.ROOT).split("[\\s,]+")));
    }

    private static Proxy parse(String url) {
        URI uri = URI.create(url.contains("://") ? url : "http://" + url);
        if (!"http".equals(uri.getScheme()) || uri.getHost() == null) {
            throw Environment.refuse("http_proxy", url, "http://HOST[:PORT]");
        }
        int port = uri.getPort() < 0 ? 80 : uri.getPort();
        // Unresolved: the proxy's name, if it is one, is looked up at each connection.
        return new Proxy(Proxy.Type.HTTP, InetSocketAddress.createUnresolved(uri.getHost(), port));
    }

    @Override
    public List<Proxy> select(URI uri) {
        boolean direct = proxy.isEmpty() || !"http".equals(uri.getScheme()) || isException(uri);
        return List.of(direct ? Proxy.NO_PROXY : proxy.get());
    }

    /** An entry is {@code *}, a host, or a domain with its hosts, each with an optional port. */
    private boolean isException(URI uri) {
        String host = uri.getHost().toLowerCase(Locale.ROOT);
        String hostPort = host + ":" + (uri.getPort() < 0 ? 80 : uri.getPort());
        for (String entry : exceptions) {
            String name = entry.startsWith(".") ? entry.substring(1) : entry;
            if (!name.isEmpty() && (name.equals("*") || matches(host, name) || matches(hostPort, name))) {
                return true;
            }
        }
        return false;
    }

    private static boolean matches(String host, String name) {
        return host.equals(name) || host.endsWith("." + name);
    }

    @Override
    public void connectFailed(URI uri, SocketAddress address, IOException failure) {
        // The caller sees the same failure and reports it; there is no second proxy to try.
    }
}
