package dev.tulle.proxy.tcp;

import dev.tulle.model.Verdict;
import dev.tulle.proxy.loop.TimerWheel;
import dev.tulle.proxy.loop.Worker;
import dev.tulle.proxy.stream.Peer;
import dev.tulle.proxy.tcp.RelayState.Event;
import dev.tulle.proxy.transport.ClientTransport;
import dev.tulle.proxy.upstream.Destination;
import dev.tulle.proxy.upstream.From;
import dev.tulle.proxy.upstream.UpstreamChannels;
import io.netty.channel.Channel;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * The way of one connection of bytes to an endpoint: chooses one, asks the policies that are in force there, connects, and
 * does so again where that brought nothing. Loop-confined.
 */
// A failed close reaches the handlers by itself.
@SuppressWarnings("FutureReturnValueIgnored")
final class Dial {
    private static final int MAX_TRIES = 3;

    /** How long a connection waits for the policies of its destination. */
    private static final long PATIENCE = TimeUnit.SECONDS.toNanos(5);

    /** Whose connection it is. */
    interface Owner {
        /** True while the client is there. */
        boolean isClientActive();

        /** What reads from an endpoint's connection that is being made. */
        RelaySide side(Channel channel);

        /** There is a connection to this endpoint. */
        void connected(RelaySide upstream, TcpTarget.Choice chosen);

        /** A policy of this endpoint refuses bytes. */
        void denied(TcpTarget.Choice chosen, Verdict verdict);

        /** A policy refuses what it has allowed until now; why is in {@link #trouble}. */
        void forbidden();

        /** There will be no connection; why is in {@link #trouble}. */
        void refused(String flags);

        /** There is nobody any more to connect for. */
        void close();
    }

    private final Worker worker;
    private final Peer peer;
    private final TcpTarget target;
    private final Owner owner;
    private final TimerWheel.Timer patience = new TimerWheel.Timer() {
        @Override
        protected void expired() {
            impatient();
        }
    };

    private final Runnable policiesChanged = this::askAgain;

    private RelayState state = RelayState.CHOOSING;
    private TcpTarget.@Nullable Choice choice;
    private int tries;
    private String trouble = "";

    Dial(Worker worker, Peer peer, TcpTarget target, Owner owner) {
        this.worker = worker;
        this.peer = peer;
        this.target = target;
        this.owner = owner;
    }

    /** Where the connection is. */
    RelayState state() {
        return state;
    }

    boolean is(RelayState one) {
        return state == one;
    }

    /**
     * Something happened.
     *
     * @throws IllegalStateException when it cannot happen where the connection is; which is closed then
     */
    private void on(Event event) {
        RelayState at = state;
        RelayState next = at.after(event);
        if (next == null) {
            owner.close();
            throw new IllegalStateException(event + " where a connection is " + at);
        }
        state = next;
    }

    /** The endpoint that it goes to, or would; null for none. */
    TcpTarget.@Nullable Choice choice() {
        return choice;
    }

    /** What went wrong last, for people; empty for nothing. */
    String trouble() {
        return trouble;
    }

    /** Begins. */
    void begin() {
        TcpTarget.Choice chosen = target.choose();
        if (chosen == null) {
            boolean none = trouble.isEmpty();
            trouble = none ? "no_healthy_upstream" : trouble;
            owner.refused(none ? "UH" : "UF");
            return;
        }
        if (isAllowed(chosen)) {
            connect(chosen);
        }
    }

    /** False when the connection was refused, or waits for what decides on it. */
    private boolean isAllowed(TcpTarget.Choice chosen) {
        Verdict verdict = chosen.access().connection(peer.source());
        if (verdict == null) {
            on(Event.UNDECIDED);
            if (!patience.isSet()) {
                worker.timers().set(patience, System.nanoTime() + PATIENCE);
            }
            chosen.access().whenKnown(peer.source(), () -> {
                if (state == RelayState.AUTHORIZING) {
                    begin();
                }
            });
            return false;
        }
        worker.timers().remove(patience);
        if (!verdict.allowed()) {
            on(Event.DENIED);
            owner.denied(chosen, verdict);
        }
        return verdict.allowed();
    }

    /** The policies, or who the client is, could not be found out: nothing passes. */
    private void impatient() {
        if (state == RelayState.AUTHORIZING) {
            trouble = "authorization_not_known";
            owner.refused(TcpRelay.DENIED);
        }
    }

    private void connect(TcpTarget.Choice chosen) {
        on(Event.ADMITTED);
        tries++;
        choice = chosen;
        chosen.begin();
        ChannelInitializer<Channel> initializer = new ChannelInitializer<>() {
            @Override
            protected void initChannel(Channel channel) {
                channel.config().setAutoRead(false);
                channel.config().setOption(ChannelOption.ALLOW_HALF_CLOSURE, true);
                channel.pipeline().addLast(owner.side(channel));
            }
        };
        UpstreamChannels.connect(
                worker,
                new Destination(chosen.address(), chosen.way(), From.of(peer.source(), peer.ends())),
                chosen.connectTimeoutMillis(),
                chosen.header(peer.ends()),
                chosen.transport(),
                ClientTransport.Spoken.BYTES,
                initializer,
                (made, failure) -> connected(made, failure, chosen));
    }

    private void connected(@Nullable Channel made, @Nullable Throwable failure, TcpTarget.Choice chosen) {
        chosen.connectEnded(failure);
        boolean over = state == RelayState.CLOSED;
        if (over || !owner.isClientActive()) {
            if (made != null) {
                made.close();
            }
            if (!over) {
                owner.close();
            }
        } else if (made == null) {
            failed(failure, chosen);
        } else {
            ready(made, chosen);
        }
    }

    private void failed(@Nullable Throwable failure, TcpTarget.Choice chosen) {
        trouble = failure == null || failure.getMessage() == null ? "connect failed" : failure.getMessage();
        leave(chosen);
        if (UpstreamChannels.isDenied(trouble)) {
            owner.refused(TcpRelay.DENIED);
        } else if (tries < MAX_TRIES) {
            on(Event.TRIED_AGAIN);
            begin();
        } else {
            owner.refused("UF");
        }
    }

    private void ready(Channel made, TcpTarget.Choice chosen) {
        // Whatever changes after the question is told.
        chosen.access().watch(policiesChanged);
        // A policy that came meanwhile holds: not a byte has passed yet.
        Verdict verdict = chosen.access().connection(peer.source());
        if (verdict != null && verdict.allowed()) {
            on(Event.CONNECTED);
            owner.connected(made.pipeline().get(RelaySide.class), chosen);
            return;
        }
        made.close();
        leave(chosen);
        if (verdict == null) {
            on(Event.TRIED_AGAIN);
            begin();
        } else {
            on(Event.DENIED);
            owner.denied(chosen, verdict);
        }
    }

    /** Policies have changed: bytes that they do not allow any more end, and nobody takes that for the end of what was said. */
    private void askAgain() {
        TcpTarget.Choice chosen = choice;
        Verdict verdict = chosen == null ? null : chosen.access().connection(peer.source());
        if (chosen != null && verdict != null && !verdict.allowed() && state != RelayState.CLOSED) {
            chosen.access().denied(verdict);
            trouble = verdict.details();
            owner.forbidden();
        }
    }

    private void leave(TcpTarget.Choice chosen) {
        chosen.access().unwatch(policiesChanged);
        chosen.end();
        choice = null;
    }

    /** Nothing is relayed any more. */
    void end() {
        on(Event.CLOSES);
        worker.timers().remove(patience);
        TcpTarget.Choice chosen = choice;
        if (chosen != null) {
            chosen.access().unwatch(policiesChanged);
            chosen.end();
        }
    }
}
