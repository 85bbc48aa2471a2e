package dev.tulle.proxy.upstream;

import dev.tulle.proxy.loop.TimerWheel;
import dev.tulle.proxy.transport.ClientTransport;
import dev.tulle.proxy.transport.ProxyHeader;
import io.netty.channel.Channel;
import io.netty.channel.ChannelInitializer;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The HTTP/2 connections of one loop to one endpoint: usually one, further ones only while the others carry as many requests
 * as the server allows. Loop-confined.
 */
final class Multiplexed {
    private final Lane lane;
    private final EndpointPool pool;
    private final ProxyHeader.@Nullable Ends alone;
    private final List<H2UpstreamConnection> open = new ArrayList<>(1);
    private final List<UpstreamUser> waiting = new ArrayList<>(0);
    private final TimerWheel.Timer idle = new TimerWheel.Timer() {
        @Override
        protected void expired() {
            closeIdle();
        }
    };
    private boolean connecting;
    private boolean retired;

    /**
     * Of an endpoint.
     *
     * @param lane whose connections these are
     * @param alone whose connection it is, where it is one for a single request; null for those of everybody
     */
    Multiplexed(Lane lane, ProxyHeader.@Nullable Ends alone) {
        this.lane = lane;
        this.pool = lane.pool();
        this.alone = alone;
    }

    /** A place for one request; null when it has to be waited for: the user is called back with it, or with the failure. */
    @Nullable
    UpstreamStream acquire(UpstreamUser user) {
        H2UpstreamConnection found = usable();
        if (found != null) {
            return found.stream();
        }
        waiting.add(user);
        connect();
        return null;
    }

    private @Nullable H2UpstreamConnection usable() {
        for (H2UpstreamConnection connection : open) {
            if (connection.isUsable(
                    pool.maxRequestsPerConnection(), pool.http2().maxStreams())) {
                return connection;
            }
        }
        return null;
    }

    /** The user does not wait any more. */
    // Users have no equality but identity.
    @SuppressWarnings("ReferenceEquality")
    void cancel(UpstreamUser user) {
        waiting.removeIf(waits -> waits == user);
    }

    private void connect() {
        if (connecting) {
            return;
        }
        connecting = true;
        Attempt attempt = new Attempt();
        ChannelInitializer<Channel> initializer = new ChannelInitializer<>() {
            @Override
            protected void initChannel(Channel channel) {
                H2UpstreamConnection made = H2UpstreamConnection.of(lane, channel);
                attempt.made = made;
                channel.pipeline().addLast(made);
            }
        };
        UpstreamChannels.connect(
                pool.worker(),
                lane.dial(pool.address()),
                pool.connectTimeoutMillis(),
                pool.header(alone),
                pool.transport(),
                ClientTransport.Spoken.HTTP2,
                initializer,
                attempt);
    }

    private final class Attempt implements UpstreamChannels.Ended {
        private @Nullable H2UpstreamConnection made;

        @Override
        public void ended(@Nullable Channel channel, @Nullable Throwable failure) {
            connecting = false;
            pool.connectEnded(failure);
            H2UpstreamConnection ready = made;
            if (channel != null && ready != null) {
                open.add(ready);
                // The channel says that it is active after this, and sends its preface then.
                pool.worker().loop().execute(() -> {
                    ready.begin();
                    serve();
                    if (alone != null) {
                        if (waiting.isEmpty()) {
                            // Else it was gone at once, and another one is being made.
                            lane.ended(Multiplexed.this);
                        }
                        if (!ready.isTaken()) {
                            ready.retire();
                        }
                        return;
                    }
                    if (retired) {
                        ready.retire();
                    }
                    closeIdle();
                });
                return;
            }
            String why = failure == null || failure.getMessage() == null ? "cancelled" : failure.getMessage();
            List<UpstreamUser> all = List.copyOf(waiting);
            waiting.clear();
            lane.ended(Multiplexed.this);
            all.forEach(user -> user.connectFailed(why));
        }
    }

    /** Gives those who wait their places, in their order. */
    private void serve() {
        while (!waiting.isEmpty()) {
            H2UpstreamConnection found = usable();
            if (found == null) {
                connect();
                return;
            }
            waiting.removeFirst().connected(found.stream());
        }
    }

    /** A request has ended. */
    void freed() {
        if (!waiting.isEmpty()) {
            serve();
        }
        if (!idle.isSet()) {
            closeIdle();
        }
    }

    void closed(H2UpstreamConnection connection) {
        open.remove(connection);
    }

    private void closeIdle() {
        long now = System.nanoTime();
        long next = Long.MAX_VALUE;
        for (H2UpstreamConnection connection : List.copyOf(open)) {
            long until = connection.idleSince + pool.idleNanos();
            if (connection.active() == 0 && now - until >= 0) {
                connection.retire();
            } else {
                next = Math.min(next, connection.active() == 0 ? until : now + pool.idleNanos());
            }
        }
        if (next != Long.MAX_VALUE) {
            pool.worker().timers().set(idle, next);
        }
    }

    /** The endpoint is not used any more. */
    void retire() {
        retired = true;
        pool.worker().timers().remove(idle);
        List.copyOf(open).forEach(H2UpstreamConnection::retire);
    }

    boolean isUnused() {
        return open.isEmpty() && waiting.isEmpty() && !connecting;
    }

    /** Connections that carry nothing. */
    int idleCount() {
        int count = 0;
        for (H2UpstreamConnection connection : open) {
            count += connection.active() == 0 ? 1 : 0;
        }
        return count;
    }
}
