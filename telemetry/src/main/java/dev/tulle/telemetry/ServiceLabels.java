package dev.tulle.telemetry;

/**
 * What Istio's metrics say about the destination service.
 *
 * @param host the full host name
 * @param name the short name
 * @param namespace the namespace
 */
public record ServiceLabels(String host, String name, String namespace) {
    /** No service known. */
    public static final ServiceLabels UNKNOWN = new ServiceLabels("", "", "");

    /** From a full host name such as {@code reviews.default.svc.cluster.local}; others are their own short name. */
    public static ServiceLabels ofHost(String host) {
        int svc = host.indexOf(".svc.");
        int dot = host.indexOf('.');
        if (svc > 0 && dot < svc) {
            return new ServiceLabels(host, host.substring(0, dot), host.substring(dot + 1, svc));
        }
        return new ServiceLabels(host, host, "");
    }
}
