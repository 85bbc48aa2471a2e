package dev.tulle.proxy.upstream;

import dev.tulle.proxy.loop.TimerWheel;
import dev.tulle.proxy.transport.ClientTransport;
import io.netty.channel.Channel;
import io.netty.channel.ChannelInitializer;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The HTTP/1.1 connections of one loop to one endpoint, each with one request at a time; the one used last is used next.
 * Loop-confined.
 */
final class Exclusive {
    /** Takes the place of a user who does not wait any more. */
    private static final UpstreamUser NOBODY = new Nobody();

    private final EndpointPool pool;
    private final ConnectionLimit limit;
    private final Lane lane;
    private int made;
    private final ArrayDeque<UpstreamConnection> idle = new ArrayDeque<>();
    private final List<UpstreamUser> connecting = new ArrayList<>();
    private final TimerWheel.Timer idleTimer = new TimerWheel.Timer() {
        @Override
        protected void expired() {
            closeIdle(System.nanoTime());
        }
    };

    /**
     * Of an endpoint.
     *
     * @param lane whose connections these are
     */
    Exclusive(EndpointPool pool, ConnectionLimit limit, Lane lane) {
        this.pool = pool;
        this.limit = limit;
        this.lane = lane;
    }

    /**
     * Gets a connection for one request.
     *
     * @param fresh true to make a new one in any case
     * @return null when it has to be waited for: the user is called back with it, or with the failure
     */
    @Nullable
    UpstreamStream acquire(UpstreamUser user, boolean fresh) {
        while (!fresh && !pool.announces()) {
            UpstreamConnection connection = idle.pollLast();
            if (connection == null) {
                break;
            }
            if (connection.isUsable()) {
                return connection;
            }
        }
        if (limit.isFull()) {
            limit.waiters.add(new ConnectionLimit.Waiter(user, this));
            if (!pool.lender().recall(pool)) {
                pool.makeRoom();
            }
        } else {
            connect(user);
        }
        return null;
    }

    /** The user does not want its connection any more. */
    void cancel(UpstreamUser user) {
        // Identity on purpose: a user is one object.
        int at = indexOf(user);
        if (at >= 0) {
            connecting.set(at, NOBODY);
        } else {
            limit.waiters.removeIf(waiter -> isSame(waiter.user(), user));
        }
    }

    private int indexOf(UpstreamUser user) {
        for (int i = 0; i < connecting.size(); i++) {
            if (isSame(connecting.get(i), user)) {
                return i;
            }
        }
        return -1;
    }

    // Users have no equality but identity.
    @SuppressWarnings("ReferenceEquality")
    private static boolean isSame(UpstreamUser a, UpstreamUser b) {
        return a == b;
    }

    private void connect(UpstreamUser user) {
        limit.connections++;
        connecting.add(user);
        ConnectAttempt attempt = new ConnectAttempt(user);
        ChannelInitializer<Channel> initializer = new ChannelInitializer<>() {
            @Override
            protected void initChannel(Channel channel) {
                UpstreamConnection connection = new UpstreamConnection(lane, channel);
                attempt.connection = connection;
                channel.pipeline().addLast(connection);
            }
        };
        UpstreamChannels.connect(
                pool.worker(),
                lane.dial(pool.address()),
                pool.connectTimeoutMillis(),
                pool.header(user.ends()),
                pool.transport(),
                ClientTransport.Spoken.HTTP1,
                initializer,
                attempt);
    }

    private final class ConnectAttempt implements UpstreamChannels.Ended {
        private final UpstreamUser user;
        private @Nullable UpstreamConnection connection;

        ConnectAttempt(UpstreamUser user) {
            this.user = user;
        }

        @Override
        public void ended(@Nullable Channel channel, @Nullable Throwable failure) {
            int at = indexOf(user);
            boolean wanted = at >= 0;
            if (wanted) {
                connecting.remove(at);
            } else {
                connecting.remove(NOBODY);
            }
            UpstreamConnection made = connection;
            pool.connectEnded(failure);
            if (channel != null && made != null) {
                Exclusive.this.made++;
                if (wanted) {
                    user.connected(made);
                } else {
                    lane.release(made);
                }
                return;
            }
            limit.connections--;
            serveWaiter();
            if (wanted) {
                user.connectFailed(
                        failure == null || failure.getMessage() == null ? "cancelled" : failure.getMessage());
            }
        }
    }

    /** True when nobody waited for it and nothing speaks against using it again. */
    boolean serves(UpstreamConnection connection) {
        int bound = pool.maxRequestsPerConnection();
        if (pool.isRetired() || pool.announces() || (bound > 0 && connection.requests() >= bound)) {
            connection.close();
            return false;
        }
        ConnectionLimit.Waiter waiter = limit.waiters.peek();
        if (waiter != null && waiter.at() == this) {
            limit.waiters.poll();
            waiter.user().connected(connection);
            return false;
        }
        if (waiter != null) {
            // The bound is the cluster's: another endpoint's turn to connect.
            connection.close();
            return false;
        }
        connection.idleSince = System.nanoTime();
        return true;
    }

    /** It waits for its next request. */
    void keep(UpstreamConnection connection) {
        long now = connection.idleSince;
        idle.addLast(connection);
        if (!idleTimer.isSet()) {
            pool.worker().timers().set(idleTimer, now + pool.idleNanos());
        }
    }

    void closed(UpstreamConnection connection) {
        limit.connections--;
        made--;
        idle.remove(connection);
        serveWaiter();
    }

    private void serveWaiter() {
        if (!limit.isFull()) {
            ConnectionLimit.Waiter waiter = limit.waiters.poll();
            if (waiter != null) {
                waiter.at().connect(waiter.user());
            }
        }
    }

    private void closeIdle(long now) {
        long bound = pool.idleNanos();
        UpstreamConnection oldest = idle.peekFirst();
        while (oldest != null && now - oldest.idleSince >= bound) {
            idle.pollFirst();
            oldest.close();
            oldest = idle.peekFirst();
        }
        if (oldest != null) {
            pool.worker().timers().set(idleTimer, oldest.idleSince + bound);
        }
    }

    /** Closes the one that has been idle for longest; false when none is idle. */
    boolean closeOldest() {
        UpstreamConnection oldest = idle.pollFirst();
        if (oldest == null) {
            return false;
        }
        oldest.close();
        return true;
    }

    /** The endpoint is not used any more: idle connections close now, others when their request is over. */
    void retire() {
        pool.worker().timers().remove(idleTimer);
        for (UpstreamConnection connection = idle.pollFirst(); connection != null; connection = idle.pollFirst()) {
            connection.close();
        }
    }

    boolean isUnused() {
        return made == 0 && connecting.isEmpty() && limit.waiters.stream().noneMatch(waiter -> waiter.at() == this);
    }

    /** Connections that carry nothing. */
    int idleCount() {
        return idle.size();
    }
}
