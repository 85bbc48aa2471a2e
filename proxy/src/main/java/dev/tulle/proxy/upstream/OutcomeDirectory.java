package dev.tulle.proxy.upstream;

import java.net.InetSocketAddress;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/** The outcomes of the endpoints that some loop uses; begun anew when an endpoint comes back. Thread-safe. */
public final class OutcomeDirectory {
    private record Counted(EndpointOutcomes outcomes, int users) {}

    private final Map<InetSocketAddress, Counted> known = new ConcurrentHashMap<>();

    /** An endpoint's; to be released once. */
    EndpointOutcomes retain(InetSocketAddress endpoint) {
        return known.merge(
                        endpoint,
                        new Counted(new EndpointOutcomes(), 1),
                        (old, fresh) -> new Counted(old.outcomes(), old.users() + 1))
                .outcomes();
    }

    void release(InetSocketAddress endpoint) {
        known.computeIfPresent(
                endpoint, (_, old) -> old.users() == 1 ? null : new Counted(old.outcomes(), old.users() - 1));
    }
}
