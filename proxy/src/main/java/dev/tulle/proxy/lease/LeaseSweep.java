package dev.tulle.proxy.lease;

import dev.tulle.proxy.loop.TimerWheel;
import dev.tulle.proxy.loop.Worker;
import dev.tulle.proxy.upstream.UpstreamConnection;
import java.util.concurrent.TimeUnit;

/**
 * Looks at every lent connection from time to time, for what no event tells: requests that take too long, clients that
 * have gone without a word, connections that nobody uses. A request is taken back a little before its timeout, so that
 * the proxy answers at the same time as if it had sent it itself. Loop-confined.
 */
final class LeaseSweep {
    /** While some route has a timeout. */
    private static final long FAST = TimeUnit.MILLISECONDS.toNanos(48);

    private static final long SLOW = TimeUnit.SECONDS.toNanos(1);

    /** Added for each connection: looking at one takes about a microsecond. */
    private static final long EACH = TimeUnit.MICROSECONDS.toNanos(200);

    /** A client that has a connection for so long without using it gives it to others. */
    private static final long HELD = TimeUnit.SECONDS.toNanos(10);

    /** Silence after which an exchange of the proxy ends too. */
    private static final long SILENT = TimeUnit.HOURS.toNanos(24);

    /** A request whose body takes longer is gone on with, so that a client's silence is noticed as in any other exchange. */
    private static final long BODY = TimeUnit.SECONDS.toNanos(10);

    private final Worker worker;
    private final Leases leases;
    private final TimerWheel.Timer timer = new TimerWheel.Timer() {
        @Override
        protected void expired() {
            sweep(System.nanoTime());
        }
    };
    private long due;

    LeaseSweep(Worker worker, Leases leases) {
        this.worker = worker;
        this.leases = leases;
    }

    private static long period(boolean timed, int connections) {
        return Math.max(timed ? FAST : SLOW, connections * EACH);
    }

    /** A connection was lent: makes sure that somebody looks in time. */
    void arm(boolean timed, int connections) {
        long next = System.nanoTime() + period(timed, connections);
        if (!timer.isSet() || next - due < 0) {
            due = next;
            worker.timers().set(timer, next);
        }
    }

    private void sweep(long now) {
        var connections = leases.connections();
        boolean timed = connections.stream().anyMatch(one -> one.pool().isTimed());
        long period = period(timed, connections.size());
        int unknown = 0;
        for (UpstreamConnection connection : connections) {
            LeaseInfo info = leases.options().lease(connection.channel());
            if (info == null) {
                unknown++;
            } else {
                look(connection, info, now, period);
            }
        }
        if (unknown > 0 && unknown == connections.size()) {
            leases.nobodyAnswers();
        }
        if (!leases.isEmpty()) {
            due = now + period;
            worker.timers().set(timer, due);
        }
    }

    private void look(UpstreamConnection connection, LeaseInfo info, long now, long period) {
        boolean unwanted = !connection.pool().isLendable() || leases.isDraining();
        long used = info.sinceNanos() == 0 ? connection.idleSince() : info.sinceNanos();
        switch (info.state()) {
            case POOLED -> {
                if (unwanted) {
                    leases.take(connection, LeaseState.UNUSED);
                } else if (now - used >= connection.pool().idleNanos()) {
                    leases.expire(connection);
                }
            }
            case HELD -> {
                if (!leases.isClient(info.client())) {
                    leases.take(connection, LeaseState.ANY);
                } else if (unwanted || now - used >= HELD) {
                    leases.take(connection, LeaseState.UNUSED);
                }
            }
            case SENT, ANSWER, BODY -> {
                long silent = info.state() == LeaseState.BODY ? BODY : SILENT;
                long timeout = info.timeoutMillis() > 0
                        ? Math.min(TimeUnit.MILLISECONDS.toNanos(info.timeoutMillis()), silent)
                        : silent;
                if (!leases.isClient(info.client()) || now + period - info.sinceNanos() >= timeout) {
                    leases.take(connection, LeaseState.ANY);
                }
            }
            case PROXY -> {
                // Handed over by the kernel: what the server said is about to be read.
            }
        }
    }
}
