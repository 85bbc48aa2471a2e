package dev.tulle.xds;

import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.LongSupplier;

/**
 * Who the server's clients are, by {@code node/role}: those with a stream, and those that had one lately. One that is away
 * still enforces what it had, so it is asked for until it has been away for {@link #KEPT}. Server's owner thread only.
 */
final class ClientRoster {
    /** How long a client that is away is expected back; a node's workloads leave the mesh after this time too. */
    static final Duration KEPT = Duration.ofSeconds(30);

    /** Clients that are remembered while away. */
    private static final int MAX_AWAY = 4096;

    private final LongSupplier nanos;
    private final Map<String, Long> awaySince = new TreeMap<>();

    ClientRoster(LongSupplier nanos) {
        this.nanos = nanos;
    }

    /** Expects a client that an earlier server had. */
    void expect(String client) {
        awaySince.putIfAbsent(client, nanos.getAsLong());
    }

    /** A stream of a client has ended, and the client did not say that it leaves. */
    void lost(ClientSession<?> session, Set<AdsStream<?, ?>> streams) {
        String client = session.client();
        boolean another =
                streams.stream().anyMatch(stream -> stream.session().client().equals(client));
        if (!client.isEmpty() && !another && awaySince.size() < MAX_AWAY) {
            awaySince.put(client, nanos.getAsLong());
        }
    }

    /** How every client stands to a snapshot. */
    List<ClientStand> stands(long number, Set<AdsStream<?, ?>> streams) {
        Map<String, List<ClientSession<?>>> connected = connected(streams);
        List<ClientStand> all = new ArrayList<>();
        connected.forEach((client, sessions) -> all.add(stand(client, sessions, number)));
        long now = nanos.getAsLong();
        awaySince.keySet().removeAll(connected.keySet());
        awaySince.values().removeIf(since -> now - since > KEPT.toNanos());
        awaySince.forEach((client, since) -> all.add(new ClientStand(
                client,
                ClientStand.Stand.AWAY,
                "it has not been connected for " + Duration.ofNanos(now - since).toSeconds() + " s",
                List.of())));
        return all;
    }

    private static Map<String, List<ClientSession<?>>> connected(Set<AdsStream<?, ?>> streams) {
        Map<String, List<ClientSession<?>>> connected = new TreeMap<>();
        for (AdsStream<?, ?> stream : streams) {
            String client = stream.session().client();
            if (!client.isEmpty()) {
                connected.computeIfAbsent(client, _ -> new ArrayList<>()).add(stream.session());
            }
        }
        return connected;
    }

    private static ClientStand stand(String client, List<ClientSession<?>> sessions, long number) {
        Set<String> missing = new LinkedHashSet<>();
        Set<Refusal> refusals = new LinkedHashSet<>();
        boolean answered = true;
        for (ClientSession<?> session : sessions) {
            if (!session.isSynced(number)) {
                answered = false;
                missing.addAll(session.unanswered(number));
            }
            refusals.addAll(session.refusals());
        }
        return new ClientStand(
                client,
                answered ? ClientStand.Stand.ANSWERED : ClientStand.Stand.SILENT,
                answered ? "" : "no answer for " + String.join(", ", missing),
                List.copyOf(refusals));
    }

    /** The clients that are connected or expected. */
    Set<String> clients(Set<AdsStream<?, ?>> streams) {
        Set<String> all = new HashSet<>(awaySince.keySet());
        all.addAll(connected(streams).keySet());
        return all;
    }
}
