package dev.tulle.proxy.forward;

import dev.tulle.model.RouteAction;
import dev.tulle.proxy.http1.RequestHead;
import org.jspecify.annotations.Nullable;

/** Where a redirect points. */
final class Redirects {
    private Redirects() {}

    /**
     * The value of Location.
     *
     * @param path the rewritten path, null to keep the request's
     * @param authority the authority that the request is for, null for the received one
     */
    static String location(
            RouteAction.Redirect redirect, RequestHead head, @Nullable String path, @Nullable String authority) {
        String scheme = redirect.scheme().orElse("http");
        String received = authority == null ? head.authority() : authority;
        String host = redirect.authority().orElse(received);
        if (redirect.port().isPresent()) {
            int port = redirect.port().get();
            boolean usual = scheme.equals("http") ? port == 80 : scheme.equals("https") && port == 443;
            host = withoutPort(host) + (usual ? "" : ":" + port);
        } else if (!scheme.equals("http") && redirect.authority().isEmpty() && host.endsWith(":80")) {
            // The usual port of the request's scheme is not written for another; any other port was meant (as in
            // Envoy).
            host = withoutPort(host);
        }
        String query = head.query();
        String to = path == null ? head.path() : path;
        return scheme + "://" + host + to + (query.isEmpty() ? "" : "?" + query);
    }

    private static String withoutPort(String authority) {
        int colon = authority.lastIndexOf(':');
        return colon < 0 || authority.indexOf(']', colon) >= 0 ? authority : authority.substring(0, colon);
    }
}
