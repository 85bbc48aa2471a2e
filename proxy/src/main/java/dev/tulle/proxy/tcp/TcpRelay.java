package dev.tulle.proxy.tcp;

import dev.tulle.model.Verdict;
import dev.tulle.proxy.loop.Ends;
import dev.tulle.proxy.loop.Joined;
import dev.tulle.proxy.loop.TimerWheel;
import dev.tulle.proxy.loop.Worker;
import dev.tulle.proxy.share.Held;
import dev.tulle.proxy.share.LoopShares;
import dev.tulle.proxy.stream.Peer;
import dev.tulle.proxy.upstream.UpstreamChannels;
import dev.tulle.telemetry.IstioMetrics;
import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Relays bytes both ways, with back-pressure and each direction's end on its own. A broken side closes the other, and one
 * that was reset resets it. Loop-confined.
 */
// A failed write or close reaches the handlers by itself.
@SuppressWarnings("FutureReturnValueIgnored")
public final class TcpRelay implements Held.Occupant {
    private static final long IDLE_TIMEOUT = TimeUnit.HOURS.toNanos(1);

    /** Envoy's flag of a connection that a policy refuses. */
    static final String DENIED = "UAEX";

    /** The protocol that a connection may turn out to speak as long as nobody has said anything. */
    public interface Other {
        /** True when the client's first bytes are of it, false when not, null when more are needed. */
        @Nullable
        Boolean isIt(ByteBuf first);

        /**
         * Takes the connection; the relay has left the pipeline and the channel does not read.
         *
         * @param first the bytes received so far, which now belong to the callee
         */
        void take(ByteBuf first);
    }

    private final Worker worker;
    private final Peer peer;
    private final TcpTarget target;
    private final TcpScope scope;
    private final RelaySide down;
    private final Events events = new Events();
    private final Dial dial;
    private final @Nullable Held held;
    private final long started = System.nanoTime();
    private final TimerWheel.Timer timer = new TimerWheel.Timer() {
        @Override
        protected void expired() {
            if (active) {
                active = false;
                worker.timers().set(this, System.nanoTime() + IDLE_TIMEOUT);
            } else {
                close();
            }
        }
    };

    private @Nullable RelaySide up;
    private @Nullable FirstWords undecided;
    /** Refuses the connection if it turns out to be bytes. */
    private @Nullable Runnable refusal;

    private @Nullable ByteBuf first;
    private IstioMetrics.@Nullable Connections metrics;
    private boolean active;
    private boolean reset;
    private boolean forbidden;
    private String trouble = "";

    private TcpRelay(
            Worker worker, Channel downstream, Peer peer, TcpTarget target, TcpScope scope, @Nullable ByteBuf first) {
        this.worker = worker;
        this.peer = peer;
        this.target = target;
        this.scope = scope;
        this.first = first;
        this.down = new RelaySide(downstream, events);
        this.held = LoopShares.of(downstream);
        this.dial = new Dial(worker, peer, target, new Dialled());
    }

    /**
     * Takes over a client's connection; its channel must not be reading.
     *
     * @param first bytes already received from it, which now belong to the relay; null for none
     */
    public static void start(
            Worker worker, Channel downstream, Peer peer, TcpTarget target, TcpScope scope, @Nullable ByteBuf first) {
        begin(new TcpRelay(worker, downstream, peer, target, scope, first));
    }

    /** The same for a client that has said nothing yet, on a port that may speak something else as well. */
    public static void startSilent(
            Worker worker, Channel downstream, Peer peer, TcpTarget target, TcpScope scope, Other other) {
        TcpRelay relay = new TcpRelay(worker, downstream, peer, target, scope, null);
        relay.undecided = new FirstWords(worker, other, relay::settle);
        begin(relay);
        if (!relay.isClosed()) {
            downstream.config().setAutoRead(true);
        }
    }

    private static void begin(TcpRelay relay) {
        Channel downstream = relay.down.channel();
        downstream.pipeline().addLast(relay.down);
        Held place = relay.held;
        if (place != null) {
            place.occupy(relay);
        }
        relay.target.opened();
        relay.dial.begin();
    }

    private boolean isClosed() {
        return dial.is(RelayState.CLOSED);
    }

    /** Bytes are never known to be over. */
    @Override
    public boolean closeIfIdle() {
        return false;
    }

    @Override
    public void closeStalled() {
        close();
        down.channel().close();
        RelaySide upstream = up;
        if (upstream != null) {
            upstream.channel().close();
        }
    }

    private void stalls(RelaySide side) {
        Held place = held;
        if (place != null) {
            long bytes = UpstreamChannels.unsent(side.channel());
            if (side.equals(down)) {
                place.waitsForClient(bytes);
            } else {
                place.waitsForEndpoint(bytes);
            }
        }
    }

    /** Refuses bytes; what may turn out to be something else is asked about then, request by request. */
    private void deny(TcpTarget.Choice chosen, Verdict verdict) {
        Runnable refuse = () -> {
            chosen.access().denied(verdict);
            refused(DENIED, verdict.details());
        };
        if (undecided == null) {
            refuse.run();
        } else {
            refusal = refuse;
            worker.timers().set(timer, System.nanoTime() + IDLE_TIMEOUT);
        }
    }

    /** The client speaks, or its server does: the connection is bytes. */
    private void settle() {
        FirstWords words = undecided;
        if (words == null) {
            return;
        }
        undecided = null;
        ByteBuf said = words.end();
        Runnable refuse = refusal;
        RelaySide upstream = up;
        if (refuse != null) {
            first = said;
            worker.timers().remove(timer);
            refuse.run();
        } else if (upstream == null) {
            // It is being made.
            down.channel().config().setAutoRead(false);
            first = said;
        } else if (said != null) {
            down.count(said);
            upstream.channel().writeAndFlush(said, upstream.channel().voidPromise());
        }
    }

    /** The client speaks the other protocol: nothing of this connection was for the server that was dialled. */
    private void handOver(FirstWords words) {
        undecided = null;
        dial.end();
        worker.timers().remove(timer);
        RelaySide upstream = up;
        IstioMetrics.Connections counted = metrics;
        if (counted != null) {
            counted.closed().increment();
        }
        if (upstream != null) {
            upstream.channel().close();
        }
        target.closed();
        down.channel().config().setAutoRead(false);
        down.channel().pipeline().remove(down);
        words.handOver();
    }

    private void connected(RelaySide upstream, TcpTarget.Choice chosen) {
        up = upstream;
        metrics = chosen.metrics(peer.source().labels(), "-");
        metrics.opened().increment();
        worker.timers().set(timer, System.nanoTime() + IDLE_TIMEOUT);
        down.join(upstream);
        upstream.join(down);
        ByteBuf early = first;
        first = null;
        if (early != null) {
            down.count(early);
            upstream.channel().writeAndFlush(early, upstream.channel().voidPromise());
        }
        if (down.hasInputEnded()) {
            settle();
            upstream.endOutput();
        }
        down.read();
        upstream.read();
    }

    private void refused(String flags, String why) {
        scope.log(peer, held, target, "", flags, why, 0, 0, started);
        target.unserved(peer.source().labels(), flags);
        dial.end();
        releaseFirst();
        target.closed();
        down.channel().close();
    }

    private void releaseFirst() {
        FirstWords words = undecided;
        if (words != null) {
            undecided = null;
            first = words.end();
        }
        ByteBuf early = first;
        if (early != null) {
            first = null;
            early.release();
        }
    }

    /** Ends both sides; what was received is still delivered. */
    private void close() {
        if (isClosed()) {
            return;
        }
        dial.end();
        worker.timers().remove(timer);
        releaseFirst();
        TcpTarget.Choice chosen = dial.choice();
        RelaySide upstream = up;
        IstioMetrics.Connections counted = metrics;
        if (counted != null && upstream != null) {
            counted.closed().increment();
            counted.received().add(down.uncounted());
            counted.sent().add(upstream.uncounted());
        }
        scope.log(
                peer,
                held,
                target,
                chosen == null ? "" : chosen.text(),
                forbidden ? DENIED : upstream == null ? "DC" : "-",
                trouble.isEmpty() ? dial.trouble() : trouble,
                down.total(),
                upstream == null ? 0 : upstream.total(),
                started);
        target.closed();
        down.finish(reset);
        if (upstream != null) {
            upstream.finish(reset);
        }
    }

    /** What becomes of the way to an endpoint. */
    private final class Dialled implements Dial.Owner {
        @Override
        public boolean isClientActive() {
            return down.channel().isActive();
        }

        @Override
        public RelaySide side(Channel channel) {
            return new RelaySide(channel, events);
        }

        @Override
        public void connected(RelaySide upstream, TcpTarget.Choice chosen) {
            TcpRelay.this.connected(upstream, chosen);
        }

        @Override
        public void denied(TcpTarget.Choice chosen, Verdict verdict) {
            deny(chosen, verdict);
        }

        @Override
        public void forbidden() {
            reset = true;
            forbidden = true;
            TcpRelay.this.close();
        }

        @Override
        public void refused(String flags) {
            TcpRelay.this.refused(flags, dial.trouble());
        }

        @Override
        public void close() {
            TcpRelay.this.close();
        }
    }

    /** What the two connections tell. */
    private final class Events implements RelaySide.Events {
        @Override
        public boolean takes(RelaySide side, ByteBuf data) {
            FirstWords words = undecided;
            if (words != null && side.equals(down)) {
                hear(words, data);
                return true;
            }
            // If nobody has spoken yet, the server speaks first.
            settle();
            active = true;
            if (side.isJoined()) {
                return false;
            }
            // Read although it should not: the end of a connection shakes loose what waits.
            if (isOurs(side)) {
                keep(data);
            } else {
                data.release();
            }
            return true;
        }

        @Override
        public void inputEnded() {
            settle();
        }

        @Override
        public void stalls(RelaySide side) {
            TcpRelay.this.stalls(side);
        }

        @Override
        public void broken(Throwable cause) {
            trouble = cause.getMessage() == null ? cause.toString() : cause.getMessage();
            reset |= Ends.isReset(cause);
        }

        @Override
        public void over(RelaySide side) {
            if (isOurs(side)) {
                close();
            }
        }

        /** False for an upstream connection that was made and given up, because a policy came before a byte had passed. */
        private boolean isOurs(RelaySide side) {
            return side.equals(down) || side.equals(up);
        }
    }

    private void hear(FirstWords words, ByteBuf data) {
        Boolean isOther = words.hear(data);
        if (isOther == null) {
            return;
        }
        if (isOther) {
            handOver(words);
        } else {
            settle();
        }
    }

    private void keep(ByteBuf data) {
        if (isClosed()) {
            data.release();
        } else {
            first = Joined.of(worker.allocator(), first, data);
        }
    }
}
