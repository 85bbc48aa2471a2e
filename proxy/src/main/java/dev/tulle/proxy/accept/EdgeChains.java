package dev.tulle.proxy.accept;

import dev.tulle.proxy.discovery.OutboundService;
import dev.tulle.proxy.transport.Followed;
import io.netty.handler.ssl.SslContext;
import io.netty.util.IllegalReferenceCountException;
import io.netty.util.ReferenceCountUtil;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What is behind one port of TLS, by the name that a caller asks for: exact, then the longest {@code *.suffix}, then what
 * is for everybody. Immutable; any thread.
 */
final class EdgeChains {
    /**
     * One certificate and what comes after it.
     *
     * @param names whom it is for: host names, {@code *.suffix}; empty for everybody
     * @param context what connections are taken with, as its files are now
     */
    record Chain(List<String> names, OutboundService service, Followed<SslContext> context) {
        Chain {
            names = List.copyOf(names);
        }
    }

    /** What was chosen for a connection, with a hold of the context. */
    record Chosen(SslContext context, OutboundService service) {
        void release() {
            ReferenceCountUtil.release(context);
        }
    }

    private record Suffix(String suffix, Chain chain) {}

    private final Map<String, Chain> exact = new HashMap<>();
    private final List<Suffix> suffixes;
    private final @Nullable Chain everybody;

    EdgeChains(List<Chain> chains) {
        List<Suffix> patterns = new java.util.ArrayList<>();
        Chain any = null;
        for (Chain chain : chains) {
            if (chain.names().isEmpty()) {
                any = any == null ? chain : any;
            }
            for (String name : chain.names()) {
                if (name.startsWith("*.")) {
                    patterns.add(new Suffix(name.substring(1), chain));
                } else {
                    exact.putIfAbsent(name, chain);
                }
            }
        }
        patterns.sort(
                Comparator.comparingInt((Suffix one) -> one.suffix().length()).reversed());
        suffixes = List.copyOf(patterns);
        everybody = any;
    }

    /**
     * Chooses.
     *
     * @param asked the name; empty for none
     * @return null where nothing is for it, or there is no certificate that could be used
     */
    @Nullable
    Chosen choose(String asked) {
        Chain chain = chain(asked.toLowerCase(Locale.ROOT));
        return chain == null ? null : hold(chain);
    }

    private @Nullable Chain chain(String name) {
        Chain found = exact.get(name);
        if (found != null) {
            return found;
        }
        for (Suffix suffix : suffixes) {
            if (name.length() > suffix.suffix().length() && name.endsWith(suffix.suffix())) {
                return suffix.chain();
            }
        }
        return everybody;
    }

    private static @Nullable Chosen hold(Chain chain) {
        while (true) {
            SslContext now = chain.context().current();
            if (now == null) {
                return null;
            }
            try {
                ReferenceCountUtil.retain(now);
                return new Chosen(now, chain.service());
            } catch (IllegalReferenceCountException e) {
                // Another one has just taken its place.
                Thread.onSpinWait();
            }
        }
    }
}
