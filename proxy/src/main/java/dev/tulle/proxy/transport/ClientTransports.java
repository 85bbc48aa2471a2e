package dev.tulle.proxy.transport;

import dev.tulle.model.UpstreamTls;
import java.time.Clock;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/** The settings of TLS that some pool uses, one {@link ClientTransport} for each. Thread-safe. */
public final class ClientTransports implements AutoCloseable {
    private record Used(ClientTransport transport, int users) {}

    private final FileWatch watch;
    private final Clock clock;
    private final Map<UpstreamTls, Used> known = new ConcurrentHashMap<>();

    /** Without any; owns the watch. */
    public ClientTransports(FileWatch watch, Clock clock) {
        this.watch = watch;
        this.clock = clock;
    }

    /** That of a setting; to be released once. */
    public ClientTransport retain(UpstreamTls settings) {
        Used used = known.compute(
                settings,
                (_, old) -> old == null
                        ? new Used(new ClientTransport(settings, watch, clock), 1)
                        : new Used(old.transport(), old.users() + 1));
        return used.transport();
    }

    /** One user of a setting less. */
    public void release(UpstreamTls settings) {
        known.computeIfPresent(settings, (_, old) -> {
            if (old.users() > 1) {
                return new Used(old.transport(), old.users() - 1);
            }
            old.transport().end();
            return null;
        });
    }

    /** How many have files that cannot be used as they are now. */
    public int troubled() {
        return (int) known.values().stream()
                .filter(used -> used.transport().isTroubled())
                .count();
    }

    @Override
    public void close() {
        watch.close();
    }
}
