package dev.tulle.model;

/**
 * Who calls, as attested by the caller's address or certificate, never by what the request says.
 *
 * @param principal {@code trust-domain/ns/namespace/sa/service-account}; empty for one without an identity
 * @param namespace empty for one without an identity
 */
public record Caller(String principal, String namespace) {
    /** The trust domain of all identities. */
    public static final String TRUST_DOMAIN = "cluster.local";

    /** Somebody without an identity: from outside of the mesh, or a process of the host that is in no workload. */
    public static final Caller NONE = new Caller("", "");

    /** The identity of a workload. */
    public static Caller of(Workload workload) {
        String account = workload.serviceAccount().isEmpty() ? "default" : workload.serviceAccount();
        return new Caller(TRUST_DOMAIN + "/ns/" + workload.namespace() + "/sa/" + account, workload.namespace());
    }

    @Override
    public String toString() {
        return principal.isEmpty() ? "a caller without identity" : principal;
    }
}
