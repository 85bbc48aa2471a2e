package dev.tulle.proxy.forward;

import dev.tulle.proxy.upstream.EndpointOutcomes;
import dev.tulle.proxy.upstream.EndpointPool;
import dev.tulle.proxy.upstream.ForwardPlan;
import dev.tulle.proxy.upstream.UpstreamStream;
import dev.tulle.proxy.upstream.UpstreamUser;
import dev.tulle.proxy.upstream.WorkerCluster;
import io.netty.channel.Channel;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * The tries of one request: which endpoint has it, whether another may have it after that, and everything that is given
 * back when a try ends (the endpoint's load, the connection, the place in the retry budget). Loop-confined.
 */
final class Tries {
    private static final long BACKOFF_MILLIS = 25;

    /** Servers that may say one after the other that they have not read a request. */
    private static final int UNREAD = 4;

    private @Nullable WorkerCluster cluster;
    private int caller;
    private @Nullable EndpointPool pool;
    private @Nullable EndpointPool lastPool;
    private @Nullable UpstreamStream upstream;
    /** Endpoints at which a try failed, so that the next one goes elsewhere. */
    private final List<EndpointPool> tried = new ArrayList<>(0);

    private int count;
    private boolean retrying;
    private int unread;

    /** A request begins. */
    void reset() {
        cluster = null;
        pool = null;
        lastPool = null;
        count = 0;
        retrying = false;
        unread = 0;
        if (!tried.isEmpty()) {
            tried.clear();
        }
    }

    /**
     * The request is for this cluster.
     *
     * @param from the client's address, for a cluster that hashes it
     */
    void begin(WorkerCluster target, int from) {
        cluster = target;
        caller = from;
        target.activeChanged(1);
    }

    /** The request was sent to an endpoint by somebody else; its connection is ours now. */
    void take(@Nullable WorkerCluster target, UpstreamStream from) {
        if (target != null) {
            // One that hashes its callers is the kernel's only while it has one endpoint.
            begin(target, caller);
        }
        enter(from.pool());
        upstream = from;
    }

    /** The request is over. */
    void over() {
        if (cluster != null) {
            cluster.activeChanged(-1);
        }
    }

    /** Tries begun so far. */
    int count() {
        return count;
    }

    /**
     * Chooses the endpoint of the next try.
     *
     * @param same true for the one of the last try, unless it does not take connections any more
     * @return null when there is none
     */
    @Nullable
    EndpointPool pick(boolean same) {
        WorkerCluster target = cluster;
        EndpointPool last = lastPool;
        if (same && last != null && !last.reachability().isDoubtful()) {
            return last;
        }
        return target == null ? null : target.pick(caller, tried);
    }

    /** A try at this endpoint begins. */
    void enter(EndpointPool picked) {
        count++;
        pool = picked;
        picked.activeChanged(1);
    }

    /** The try has its connection. */
    void connected(UpstreamStream to) {
        upstream = to;
    }

    /** The connection is gone, or is its pool's again. */
    void disconnected() {
        upstream = null;
    }

    /** The connection of the current try; null when there is none. */
    @Nullable
    UpstreamStream upstream() {
        return upstream;
    }

    /** The endpoint of the current try; null when there is none. */
    @Nullable
    EndpointPool pool() {
        return pool;
    }

    /** The endpoint of the last try; null before the first has ended. */
    @Nullable
    EndpointPool last() {
        return lastPool;
    }

    /** The current try has its response; on behalf of this client. */
    void answered(Channel client, int code) {
        EndpointPool from = pool;
        if (from != null) {
            from.ended(client, code);
        }
    }

    /** The current try gets no (whole) response, and it is the endpoint's fault. */
    void failed(Channel client) {
        answered(client, EndpointOutcomes.NO_RESPONSE);
    }

    /** Ends the current try for another one, if policy and budget allow. */
    boolean beginRetry(ForwardPlan plan, UpstreamUser user, boolean connecting, boolean repeatable) {
        WorkerCluster target = cluster;
        if (target == null || count > plan.retries() || !repeatable) {
            return false;
        }
        // A try that got no connection has cost its endpoint nothing: going elsewhere multiplies no load, so that all
        // requests to an endpoint that has just gone may do it at once.
        boolean counts = retrying || !connecting;
        if (counts && !retrying && !target.beginRetry()) {
            return false;
        }
        if (pool != null) {
            tried.add(pool);
        }
        // The place in the budget is kept from retry to retry.
        retrying = false;
        end(user, connecting, true);
        retrying = counts;
        return true;
    }

    /** How long to wait before the next try. */
    long backoffNanos(SplittableRandom random) {
        long bound = BACKOFF_MILLIS << Math.min(count - 1, 6);
        return random.nextLong(TimeUnit.MILLISECONDS.toNanos(bound));
    }

    /**
     * Ends the current try because the server has not read the request, or most likely has not: not a failure of the
     * request, so the next try is not counted. False when that was done too often for the server to be believed.
     *
     * @param said true when the server says so itself
     */
    boolean beginHarmlessRetry(UpstreamUser user, boolean said) {
        if (unread >= (said ? UNREAD : 1)) {
            return false;
        }
        unread++;
        count--;
        end(user, false, true);
        return true;
    }

    /** The current try is over: its endpoint is left. */
    void end(UpstreamUser user, boolean connecting, boolean abandon) {
        EndpointPool left = pool;
        if (left != null) {
            left.activeChanged(-1);
            if (connecting) {
                left.cancel(user);
            }
            lastPool = left;
            pool = null;
        }
        UpstreamStream to = upstream;
        if (to != null) {
            upstream = null;
            if (abandon) {
                to.abandon();
            }
        }
        if (retrying && cluster != null) {
            retrying = false;
            cluster.endRetry();
        }
    }
}
