package dev.tulle.proxy.accept;

import dev.tulle.model.EdgeNames;
import dev.tulle.model.Listener.Target.Chain;
import dev.tulle.proxy.discovery.OutboundService;
import dev.tulle.proxy.transport.Followed;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandler;
import io.netty.handler.ssl.SslContext;
import io.netty.util.IllegalReferenceCountException;
import io.netty.util.ReferenceCountUtil;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * One port of the edge. Which chain a name means is known from the moment in which a change is taken, what the chain is
 * served with a little later: a caller that comes in between waits for it, so that nobody whose connection of TLS begins
 * after the change was acknowledged gets what another chain had. Asked by any thread; changed by the two of {@link EdgePorts}.
 */
final class EdgePort {
    /** What a chain is served with; its service is not there where nobody is served. */
    record Served(
            Chain chain,
            @Nullable OutboundService service,
            @Nullable Followed<SslContext> context) {}

    /** What was chosen for a connection. */
    sealed interface Chosen {
        /** TLS ends here; with a hold of the context, to be released. */
        record Ending(SslContext context, OutboundService service) implements Chosen {}

        /** What the caller says is carried on as it is. */
        record Passing(OutboundService service) implements Chosen {}

        /** Nobody serves it. */
        record Nobody(String reason) implements Chosen {}

        /** Gives back what it holds. */
        default void release() {
            if (this instanceof Ending ending) {
                ReferenceCountUtil.release(ending.context());
            }
        }
    }

    private static final Chosen NO_CERTIFICATE = new Chosen.Nobody("tls_no_certificate");
    private static final Chosen NOT_SERVED = new Chosen.Nobody("tls_not_served");

    /** By address; the thread of the ports only. */
    final Map<String, Channel> channels = new HashMap<>();

    private final List<Runnable> waiting = new ArrayList<>();
    private volatile EdgeNames names;
    /** Whether callers are announced by the proxies before the edge. */
    private volatile boolean announced;

    private volatile Map<String, Served> served = Map.of();

    /** Nothing is served yet. */
    EdgePort(EdgeNames names, boolean announced) {
        this.names = names;
        this.announced = announced;
    }

    /** From now on names mean these, and callers are announced or not. */
    void mean(EdgeNames wanted, boolean announces) {
        announced = announces;
        names = wanted;
        changed();
    }

    /** What each chain is served with, by its name. */
    Map<String, Served> served() {
        return served;
    }

    /** From now on chains are served with these. */
    void serve(Map<String, Served> ready) {
        served = Map.copyOf(ready);
        changed();
    }

    private void changed() {
        List<Runnable> told;
        synchronized (waiting) {
            told = List.copyOf(waiting);
            waiting.clear();
        }
        told.forEach(Runnable::run);
    }

    /** Calls back once, on any thread, when something has changed. */
    void whenChanged(Runnable then) {
        synchronized (waiting) {
            waiting.add(then);
        }
    }

    /** The first handler of a connection. */
    ChannelHandler first(LoopScope scope) {
        return announced ? new AnnouncedPort(scope, serving(scope)) : serving(scope);
    }

    private ChannelHandler serving(LoopScope scope) {
        if (names.areLookedAt()) {
            return new TlsPort(scope, this);
        }
        for (Served one : served.values()) {
            OutboundService service = one.service();
            if (!one.chain().isByName() && service != null) {
                return new FixedPort(scope, service);
            }
        }
        // It was one of TLS a moment ago: there is no chain for anybody until the port has changed.
        return new TlsPort(scope, this);
    }

    /**
     * Chooses.
     *
     * @param asked the name; empty for none
     * @return null when what is to be chosen is not ready: to be asked again when something {@link #whenChanged has
     *     changed}
     */
    @Nullable
    Chosen choose(String asked) {
        while (true) {
            Chain chain = names.chain(asked);
            if (chain == null || !chain.isByName()) {
                return NO_CERTIFICATE;
            }
            Served found = served.get(chain.name());
            if (found == null || !found.chain().equals(chain)) {
                return null;
            }
            OutboundService service = found.service();
            if (service == null) {
                return NOT_SERVED;
            }
            Followed<SslContext> context = found.context();
            if (context == null) {
                return new Chosen.Passing(service);
            }
            SslContext current = context.current();
            if (current == null && found.equals(served.get(chain.name()))) {
                return NO_CERTIFICATE;
            }
            if (current != null) {
                try {
                    ReferenceCountUtil.retain(current);
                    return new Chosen.Ending(current, service);
                } catch (IllegalReferenceCountException e) {
                    // Another one has just taken its place.
                    Thread.onSpinWait();
                }
            }
        }
    }
}
