package dev.tulle.agent.dns;

import java.util.ArrayList;
import java.util.List;

/**
 * Turns a name that a workload asks for into the services that it could mean. Pure.
 *
 * @param domain the mesh's domain, for example {@code cluster.local}
 */
public record MeshNames(DnsName domain) {
    /** For a domain in text form. */
    public MeshNames(String domain) {
        this(DnsName.of(domain));
    }

    /**
     * A service by name.
     *
     * @param namespace the namespace
     * @param hostname the full host name
     */
    public record Candidate(String namespace, String hostname) {}

    /**
     * What a name could mean.
     *
     * @param candidates services, the likeliest first
     * @param meshOnly true when the name belongs to the mesh's own domain, so that nobody else is asked for it
     */
    public record Meaning(List<Candidate> candidates, boolean meshOnly) {
        public Meaning {
            candidates = List.copyOf(candidates);
        }
    }

    /**
     * What a name could mean to a caller.
     *
     * @param namespace the caller's namespace
     * @param searchDomains the host's search domains: resolvers ask for {@code reviews.SEARCHDOMAIN} before they ask for
     *     {@code reviews}, so that the first form, too, means the mesh's {@code reviews} when there is one
     */
    public Meaning of(DnsName name, String namespace, List<String> searchDomains) {
        if (!name.isHostName()) {
            return new Meaning(List.of(), false);
        }
        List<Candidate> candidates = new ArrayList<>();
        List<String> labels = name.labels();
        DnsName services = DnsName.of("svc." + domain);
        if (name.isBelow(services)) {
            List<String> rest = name.without(services).labels();
            if (rest.size() == 2) {
                candidates.add(service(rest.get(0), rest.get(1)));
            }
            return new Meaning(candidates, true);
        }
        if (labels.size() == 1) {
            candidates.add(service(labels.getFirst(), namespace));
            return new Meaning(candidates, false);
        }
        if (labels.size() == 3 && labels.get(2).equals("svc")) {
            candidates.add(service(labels.get(0), labels.get(1)));
            return new Meaning(candidates, true);
        }
        for (String search : searchDomains) {
            DnsName suffix = DnsName.of(search);
            if (name.isBelow(suffix) && name.without(suffix).labels().size() == 1) {
                candidates.add(service(labels.getFirst(), namespace));
            }
        }
        if (labels.size() == 2) {
            candidates.add(service(labels.get(0), labels.get(1)));
        }
        // A ServiceEntry's host: declared in the caller's namespace, or for all in the default one.
        candidates.add(new Candidate(namespace, name.toString()));
        if (!namespace.equals("default")) {
            candidates.add(new Candidate("default", name.toString()));
        }
        return new Meaning(candidates, false);
    }

    private Candidate service(String name, String namespace) {
        return new Candidate(namespace, name + "." + namespace + ".svc." + domain);
    }
}
