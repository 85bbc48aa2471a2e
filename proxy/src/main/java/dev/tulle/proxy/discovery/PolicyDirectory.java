package dev.tulle.proxy.discovery;

import dev.tulle.model.Endpoint;
import dev.tulle.model.Verdict;
import dev.tulle.telemetry.Counter;
import dev.tulle.telemetry.MetricFamily;
import dev.tulle.telemetry.MetricRegistry;
import dev.tulle.xds.XdsClient;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;

/**
 * The policies of every workload that is sent to, shared by all loops; followed while somebody uses them and some time
 * longer. Any thread.
 */
public final class PolicyDirectory implements AutoCloseable {
    private record Key(String address, String workload, String namespace) {}

    private final XdsClient xds;
    private final String node;
    private final long idleNanos;
    private final Map<Key, DestinationPolicies> followed = new ConcurrentHashMap<>();
    private final MetricFamily<Counter> denied;
    private final ScheduledExecutorService timer;

    /**
     * An empty directory.
     *
     * @param node the node that the proxy runs on
     */
    public PolicyDirectory(XdsClient xds, String node, Duration idleExpiry, MetricRegistry registry) {
        this.xds = xds;
        this.node = node;
        this.idleNanos = idleExpiry.toNanos();
        this.denied = registry.counter(
                "tulle_proxy_policy_denied_total",
                "Requests and connections refused by authorization, by policy; none where no ALLOW matches.",
                "policy");
        this.timer = Executors.newSingleThreadScheduledExecutor(
                Thread.ofPlatform().name("policy-directory").daemon().factory());
        long period = Math.max(100, idleExpiry.toMillis() / 4);
        var _ = timer.scheduleWithFixedDelay(this::forgetIdle, period, period, TimeUnit.MILLISECONDS);
    }

    /** The policies of the workload behind an endpoint. */
    public DestinationPolicies of(Endpoint endpoint) {
        return followed.compute(
                new Key(endpoint.address(), endpoint.workload(), endpoint.namespace()), (key, known) -> {
                    DestinationPolicies found = known == null
                            ? new DestinationPolicies(xds, names(key), key.workload(), key.namespace())
                            : known;
                    found.used();
                    return found;
                });
    }

    /** For what nobody guards. */
    public DestinationPolicies none() {
        return new DestinationPolicies(xds, List.of(), "", "");
    }

    /**
     * The names under which a workload may be known: by its address, unless all workloads share it; by its name on this
     * node; as a WorkloadEntry.
     */
    private List<String> names(Key key) {
        boolean shared = key.address().startsWith("127.") || key.address().equals("::1");
        String name = key.namespace() + "/" + key.workload();
        if (key.workload().isEmpty()) {
            return shared ? List.of() : List.of("/" + key.address());
        }
        String local = node + "/" + name;
        String entry = "config/" + name;
        return shared ? List.of(local, entry) : List.of("/" + key.address(), local, entry);
    }

    /** Counts a refusal. */
    public void denied(Verdict verdict) {
        var policy = verdict.policy();
        denied.with(policy == null ? "none" : policy.name()).increment();
    }

    private void forgetIdle() {
        for (Key key : List.copyOf(followed.keySet())) {
            followed.computeIfPresent(key, (same, policies) -> {
                if (!policies.isIdleFor(idleNanos)) {
                    return policies;
                }
                policies.close();
                return null;
            });
        }
    }

    @Override
    public void close() {
        timer.shutdownNow();
        followed.values().forEach(DestinationPolicies::close);
        followed.clear();
    }
}
