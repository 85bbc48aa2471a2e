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
     * @param asked the scheme that the client asked with
     * @param path the rewritten path, null to keep the request's
     * @param authority the authority that the request is for, null for the received one
     */
    static String location(
            RouteAction.Redirect redirect,
            RequestHead head,
            String asked,
            @Nullable String path,
            @Nullable String authority) {
        String scheme = redirect.scheme().orElse(asked);
        String received = authority == null ? head.authority() : authority;
        String host = redirect.authority().orElse(received);
        if (redirect.port().isPresent()) {
            int port = redirect.port().get();
            // As in Istio, of the scheme that the rule names, whatever the client asked with.
            boolean usual = redirect.scheme().orElse("http").equals("https") ? port == 443 : port == 80;
            host = withoutPort(host) + (usual ? "" : ":" + port);
        } else if (!scheme.equals(asked)
                && redirect.authority().isEmpty()
                && host.endsWith(asked.equals("http") ? ":80" : ":443")) {
            // The usual port of the request's scheme is not written for another; any other port was meant (as in
            // Envoy).
            host = withoutPort(host);
        }
        String to = path == null ? head.path() : path;
        // The question mark of a query that is empty stays as well.
        String query = to.indexOf('?') >= 0 ? "" : head.text(head.pathEnd(), head.targetEnd());
        return scheme + "://" + host + to + query;
    }

    private static String withoutPort(String authority) {
        int colon = authority.lastIndexOf(':');
        return colon < 0 || authority.indexOf(']', colon) >= 0 ? authority : authority.substring(0, colon);
    }
}
