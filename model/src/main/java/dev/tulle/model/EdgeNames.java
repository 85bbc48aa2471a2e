package dev.tulle.model;

import dev.tulle.model.Listener.Target.Chain;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Which chain of a port a caller of TLS means by the name that it asks for: exact, then the longest {@code *.suffix}, then
 * the one for everybody. Immutable; any thread.
 */
public final class EdgeNames {
    private record Suffix(String suffix, Chain chain) {}

    private final Map<String, Chain> exact = new HashMap<>();
    private final List<Suffix> suffixes;
    private final @Nullable Chain everybody;
    private final boolean byName;

    /**
     * Of a port.
     *
     * @param chains those of that port
     */
    public EdgeNames(List<Chain> chains) {
        List<Suffix> patterns = new ArrayList<>();
        Chain any = null;
        for (Chain chain : chains) {
            if (chain.serverNames().isEmpty()) {
                any = any == null ? chain : any;
            }
            for (String name : chain.serverNames()) {
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
        byName = chains.stream().anyMatch(Chain::isByName);
    }

    /** True where names are looked at; otherwise the port has one chain, of plain text. */
    public boolean areLookedAt() {
        return byName;
    }

    /**
     * The chain for a name.
     *
     * @param asked empty for none
     * @return null where there is nothing for it
     */
    public @Nullable Chain chain(String asked) {
        String name = asked.toLowerCase(Locale.ROOT);
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
}
