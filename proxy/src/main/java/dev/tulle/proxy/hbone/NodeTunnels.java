package dev.tulle.proxy.hbone;

import dev.tulle.common.pki.SpiffeId;
import dev.tulle.proxy.identity.Credentials;
import dev.tulle.proxy.loop.TimerWheel;
import dev.tulle.proxy.loop.Worker;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * The connections of one loop to one node under one identity: usually one, further ones while the others carry as many
 * tunnels as they may. Loop-confined.
 */
// A failed close reaches the handlers by itself.
@SuppressWarnings("FutureReturnValueIgnored")
final class NodeTunnels {
    /** A connection that carries nothing is kept for so long, as ztunnel does. */
    static final long IDLE = TimeUnit.MINUTES.toNanos(5);

    private final Tunnels owner;
    private final Worker worker;
    private final SpiffeId source;
    private final InetSocketAddress node;
    private final List<TunnelConnection> open = new ArrayList<>(1);
    private final List<TunnelOpening> waiting = new ArrayList<>(0);
    private final TimerWheel.Timer idle = new TimerWheel.Timer() {
        @Override
        protected void expired() {
            closeIdle();
        }
    };
    private boolean connecting;
    private boolean asksForCertificate;

    NodeTunnels(Tunnels owner, SpiffeId source, InetSocketAddress node) {
        this.owner = owner;
        this.worker = owner.worker();
        this.source = source;
        this.node = node;
    }

    /** Opens a tunnel on a connection that has room, or on a new one. */
    void open(TunnelOpening opening) {
        waiting.add(opening);
        serve();
    }

    /** Gives those who wait their tunnels, in their order. */
    private void serve() {
        waiting.removeIf(TunnelOpening::isOver);
        while (!waiting.isEmpty()) {
            TunnelOpening first = waiting.getFirst();
            TunnelConnection found = usable(first.target);
            if (found == null) {
                connect();
                return;
            }
            waiting.removeFirst();
            if (!found.open(first)) {
                waiting.addFirst(first);
            }
        }
    }

    private @Nullable TunnelConnection usable(TunnelTarget target) {
        for (TunnelConnection connection : open) {
            if (connection.isUsable(target)) {
                return connection;
            }
        }
        return null;
    }

    private void connect() {
        if (connecting) {
            return;
        }
        Credentials now = owner.identities().hold(source);
        if (now == null) {
            awaitCertificate();
            return;
        }
        connecting = true;
        waiting.forEach(one -> one.waitsFor("no connection"));
        NodeConnect.begin(worker, node, now, this);
    }

    private void awaitCertificate() {
        waiting.forEach(one -> one.waitsFor("no certificate for " + source + " to show to it; the side"));
        if (!asksForCertificate) {
            asksForCertificate = true;
            owner.identities().whenKnown(source, () -> worker.loop().execute(() -> {
                asksForCertificate = false;
                serve();
            }));
        }
    }

    /** A connection is ready. */
    void connected(TunnelConnection made) {
        connecting = false;
        open.add(made);
        boolean another = false;
        for (TunnelOpening one : List.copyOf(waiting)) {
            if (!one.target.identities().contains(made.peer())) {
                another = true;
                waiting.remove(one);
                one.failed(new IOException(Tunnels.TROUBLE + "the node at " + Answers.text(node) + " is " + made.peer()
                        + ", expected " + one.target.identities()));
            }
        }
        serve();
        if (another && made.active() == 0) {
            // Kept, it would get company with each further try.
            made.retire();
        }
        freed();
    }

    /** There is none. */
    void failed(IOException why) {
        connecting = false;
        List<TunnelOpening> all = List.copyOf(waiting);
        waiting.clear();
        all.forEach(one -> one.failed(why));
        owner.forgetIfUnused(this);
    }

    /** A tunnel has ended. */
    void freed() {
        if (!waiting.isEmpty()) {
            serve();
        }
        if (!idle.isSet()) {
            closeIdle();
        }
    }

    void closed(TunnelConnection connection) {
        open.remove(connection);
        serve();
        owner.forgetIfUnused(this);
    }

    boolean isUnused() {
        return open.isEmpty() && waiting.isEmpty() && !connecting;
    }

    private void closeIdle() {
        long now = System.nanoTime();
        long next = Long.MAX_VALUE;
        for (TunnelConnection connection : List.copyOf(open)) {
            long until = connection.idleSince + IDLE;
            if (connection.active() == 0 && now - until >= 0) {
                connection.retire();
            } else {
                next = Math.min(next, connection.active() == 0 ? until : now + IDLE);
            }
        }
        if (next != Long.MAX_VALUE) {
            worker.timers().set(idle, next);
        }
    }

    /** Connections that were made with other certificates than those in force take no further tunnels. */
    void renew(@Nullable Credentials inForce) {
        for (TunnelConnection connection : List.copyOf(open)) {
            if (connection.under() != inForce) {
                connection.retire();
            }
        }
    }

    SpiffeId source() {
        return source;
    }

    InetSocketAddress node() {
        return node;
    }

    int connections() {
        return open.size();
    }

    /** The proxy ends. */
    void close() {
        worker.timers().remove(idle);
        failed(new IOException(Tunnels.TROUBLE + "the proxy ends"));
        List.copyOf(open).forEach(one -> one.end("the proxy ends"));
    }
}
