package dev.tulle.config;

import java.util.Collection;
import java.util.Locale;
import java.util.Optional;
import java.util.function.Predicate;

/** Service names: how short ones become host names, and which pattern covers a host name best. Pure. */
public final class Hosts {
    /** The suffix of the host names of Services. */
    public static final String SERVICE_DOMAIN = "svc.cluster.local";

    private Hosts() {}

    /** The full host name of a Service, for example {@code reviews.default.svc.cluster.local}. */
    public static String serviceHostname(String name, String namespace) {
        return name + "." + namespace + "." + SERVICE_DOMAIN;
    }

    /** The namespace in the full host name of a Service; empty for other host names. */
    static Optional<String> namespaceOf(String hostname) {
        String[] labels = hostname.split("\\.", 3);
        return labels.length == 3 && labels[2].equals(SERVICE_DOMAIN) && !isPattern(hostname)
                ? Optional.of(labels[1])
                : Optional.empty();
    }

    /**
     * The host name that a written name stands for.
     *
     * @param host as written: {@code reviews}, {@code reviews.default}, {@code reviews.default.svc}, a full name or a
     *     pattern
     * @param namespace the namespace of the resource that names it
     * @param known tells which host names exist; decides what a name with one dot means, because {@code example.com}
     *     looks like {@code service.namespace}
     */
    public static String resolve(String host, String namespace, Predicate<String> known) {
        String name = host.toLowerCase(Locale.ROOT);
        if (isPattern(name)) {
            return name;
        }
        int dot = name.indexOf('.');
        if (dot < 0) {
            return serviceHostname(name, namespace);
        }
        if (name.endsWith(".svc")) {
            return name + SERVICE_DOMAIN.substring("svc".length());
        }
        if (name.indexOf('.', dot + 1) < 0 && !known.test(name)) {
            String full = name + "." + SERVICE_DOMAIN;
            return known.test(full) ? full : name;
        }
        return name;
    }

    /** True for {@code *} and {@code *.suffix}. */
    public static boolean isPattern(String host) {
        return host.startsWith("*");
    }

    /** True when a pattern or exact name covers the host name. */
    public static boolean covers(String pattern, String hostname) {
        return isPattern(pattern)
                ? hostname.endsWith(pattern.substring(1)) && hostname.length() > pattern.length() - 1
                : pattern.equals(hostname);
    }

    /** The pattern that covers the host name best: exact before longest suffix before {@code *}. */
    public static Optional<String> mostSpecific(Collection<String> patterns, String hostname) {
        String best = null;
        for (String pattern : patterns) {
            if (covers(pattern, hostname)) {
                if (!isPattern(pattern)) {
                    return Optional.of(pattern);
                }
                best = best == null || pattern.length() > best.length() ? pattern : best;
            }
        }
        return Optional.ofNullable(best);
    }
}
