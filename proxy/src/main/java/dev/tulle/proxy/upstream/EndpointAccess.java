package dev.tulle.proxy.upstream;

import dev.tulle.model.AppProtocol;
import dev.tulle.model.Authorizer;
import dev.tulle.model.Caller;
import dev.tulle.model.RequestRules;
import dev.tulle.model.RequestView;
import dev.tulle.model.Verdict;
import dev.tulle.proxy.discovery.DestinationPolicies;
import dev.tulle.proxy.discovery.PolicyDirectory;
import dev.tulle.proxy.discovery.WorkloadDirectory;
import dev.tulle.proxy.loop.Worker;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Who may use one endpoint for what, as one loop asks it: what is settled for a caller is kept until a policy changes.
 * Loop-confined.
 */
public final class EndpointAccess {
    /** Callers whose rules are kept; more begin anew. */
    private static final int MAX_CALLERS = 256;

    private final Worker worker;
    private final PolicyDirectory directory;
    private final DestinationPolicies policies;
    private final int port;
    private final boolean named;
    private final Set<Runnable> watchers = new LinkedHashSet<>(0);
    private final Runnable changed = this::tellWatchers;
    private final Map<Caller, RequestRules> byCaller = new HashMap<>();
    private Authorizer current = Authorizer.NONE;

    /** Of an endpoint's port that a caller of whom nothing is known may reach where there are no policies. */
    public EndpointAccess(Worker worker, PolicyDirectory directory, DestinationPolicies policies, int port) {
        this(worker, directory, policies, port, false);
    }

    /**
     * Of an endpoint's port; retains the policies until {@link #release}.
     *
     * @param named true when it must be known who calls in any case, as it is told to the endpoint's node
     */
    public EndpointAccess(
            Worker worker, PolicyDirectory directory, DestinationPolicies policies, int port, boolean named) {
        this.worker = worker;
        this.directory = directory;
        this.policies = policies;
        this.port = port;
        this.named = named;
        policies.retain();
    }

    /** The endpoint is not used any more. */
    public void release() {
        policies.release();
    }

    /** Called, on the loop, when policies have changed: what they do not allow any more has to end. Until {@link #unwatch}. */
    public void watch(Runnable watcher) {
        if (watchers.isEmpty()) {
            // They are followed as long as something depends on them, also when the endpoint is not used any more.
            policies.retain();
            policies.watch(changed);
        }
        watchers.add(watcher);
    }

    /** Not called any more. */
    public void unwatch(Runnable watcher) {
        if (watchers.remove(watcher) && watchers.isEmpty()) {
            policies.unwatch(changed);
            policies.release();
        }
    }

    private void tellWatchers() {
        worker.loop().execute(() -> List.copyOf(watchers).forEach(Runnable::run));
    }

    /** Decides on a request; null while the policies or the caller's identity are not known. */
    public @Nullable Verdict request(WorkloadDirectory.Entry source, RequestView request) {
        Authorizer now = policies.authorizer();
        if (now == null) {
            return null;
        }
        if (now.isEmpty()) {
            return withoutPolicies(source);
        }
        if (!source.isKnown()) {
            return null;
        }
        return rules(now, source.caller()).decide(request);
    }

    private @Nullable Verdict withoutPolicies(WorkloadDirectory.Entry source) {
        return !named || source.isKnown() ? Verdict.NO_POLICY : null;
    }

    // An authorizer is one object until a policy changes.
    @SuppressWarnings("ReferenceEquality")
    private RequestRules rules(Authorizer now, Caller caller) {
        if (current != now || byCaller.size() >= MAX_CALLERS) {
            byCaller.clear();
            current = now;
        }
        return byCaller.computeIfAbsent(caller, c -> now.http(c, port));
    }

    /** Decides on a connection of opaque bytes; null while the policies or the caller's identity are not known. */
    public @Nullable Verdict connection(WorkloadDirectory.Entry source) {
        Authorizer now = policies.authorizer();
        if (now == null) {
            return null;
        }
        if (now.isEmpty()) {
            return withoutPolicies(source);
        }
        return source.isKnown() ? now.tcp(source.caller(), port) : null;
    }

    /**
     * What is settled for a caller before anything has come from it; null while the policies or the caller's identity are
     * not known.
     *
     * @param protocol what is spoken at the port
     */
    public Authorizer.@Nullable Early early(WorkloadDirectory.Entry source, AppProtocol protocol) {
        Authorizer now = policies.authorizer();
        if (now == null) {
            return null;
        }
        if (now.isEmpty()) {
            return withoutPolicies(source) == null ? null : Authorizer.Early.ALLOW;
        }
        return source.isKnown() ? now.early(source.caller(), port, protocol) : null;
    }

    /** Calls back later, on the loop and at most once, when it is worth to ask again. */
    public void whenKnown(WorkloadDirectory.Entry source, Runnable callback) {
        Runnable onLoop = () -> worker.loop().execute(callback);
        policies.whenKnown(() -> {
            Authorizer now = policies.authorizer();
            if (now != null && now.isEmpty() && !named) {
                onLoop.run();
            } else {
                source.whenKnown(onLoop);
            }
        });
    }

    /** Counts a refusal. */
    public void denied(Verdict verdict) {
        directory.denied(verdict);
    }
}
