package dev.tulle.xds;

import dev.tulle.common.VisibleText;
import dev.tulle.xds.proto.envoy.service.discovery.v3.DeltaDiscoveryRequest;
import dev.tulle.xds.proto.envoy.service.discovery.v3.DeltaDiscoveryResponse;
import dev.tulle.xds.proto.envoy.service.discovery.v3.Resource;
import dev.tulle.xds.proto.envoy.service.discovery.v3.Status;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * One wire type of a client: the names it watches and what it still has to tell the server about them. Knows the protocol
 * but no transport. Runs on the client's owner thread.
 */
final class WatchedType {
    /** The code of a refusal, as gRPC numbers it. */
    private static final int INVALID_ARGUMENT = 3;

    /** Characters of a refusal, of three bytes each at most. */
    private static final int MAX_REFUSAL = RequestLimits.MAX_FIELD_BYTES / 4;

    private static final int MAX_FIRST = 500;

    private final String typeUrl;
    private final Map<String, WatchedName> names = new HashMap<>();
    private final Set<String> toSubscribe = new LinkedHashSet<>();
    private final Set<String> toUnsubscribe = new LinkedHashSet<>();
    /** The names that the server has been told on this stream. */
    private final Set<String> subscribed = new LinkedHashSet<>();

    /** The names of which the gate has refused the last value. */
    private final Set<String> refusedByGate = new LinkedHashSet<>();

    /** The names of which the last value has not been carried out: the client does not claim to have it. */
    private final Set<String> unproven = new HashSet<>();

    private boolean openedOnStream;
    private long accepted;
    private long rejected;
    private String lastRejection = "";

    WatchedType(String typeUrl) {
        this.typeUrl = typeUrl;
    }

    String typeUrl() {
        return typeUrl;
    }

    /** Adds a watch; what is known of the name is not told yet. */
    WatchedName watch(String name, WatchedName.Watch<?> watch) {
        WatchedName watched = names.get(name);
        if (watched == null) {
            watched = new WatchedName();
            names.put(name, watched);
            toUnsubscribe.remove(name);
            toSubscribe.add(name);
        }
        watched.add(watch);
        return watched;
    }

    void unwatch(String name, WatchedName.Watch<?> watch) {
        WatchedName watched = names.get(name);
        if (watched == null) {
            return;
        }
        watched.remove(watch);
        if (!watched.isWatched()) {
            names.remove(name);
            toSubscribe.remove(name);
            if (subscribed.contains(name)) {
                toUnsubscribe.add(name);
            }
        }
    }

    /** A new stream knows nothing: everything is to be subscribed to again. */
    void streamOpened() {
        openedOnStream = false;
        subscribed.clear();
        toUnsubscribe.clear();
        toSubscribe.clear();
        toSubscribe.addAll(names.keySet());
    }

    /**
     * What is to be told to the server now; null when there is nothing. A type without names is not opened on a stream, as
     * a first request without names means "all".
     */
    DeltaDiscoveryRequest.@Nullable Builder nextRequest() {
        if (toSubscribe.isEmpty() && toUnsubscribe.isEmpty()) {
            return null;
        }
        DeltaDiscoveryRequest.Builder request = DeltaDiscoveryRequest.newBuilder()
                .setTypeUrl(typeUrl)
                .addAllResourceNamesSubscribe(toSubscribe)
                .addAllResourceNamesUnsubscribe(toUnsubscribe);
        if (!openedOnStream) {
            names.forEach((name, watched) -> {
                if (watched.state() == WatchedName.State.PRESENT
                        && !watched.version().isEmpty()
                        && !unproven.contains(name)) {
                    request.putInitialResourceVersions(name, watched.version());
                }
            });
        }
        openedOnStream = true;
        subscribed.addAll(toSubscribe);
        subscribed.removeAll(toUnsubscribe);
        toSubscribe.clear();
        toUnsubscribe.clear();
        return request;
    }

    /**
     * What is to be answered to a response.
     *
     * @param names the names that it was about, as the server calls them
     * @param watched the same, as they are watched
     * @param problems what was refused and why, a line each
     */
    record Answer(String nonce, List<String> names, Set<String> watched, List<String> problems) {}

    /** Takes a response and tells the watchers. */
    Answer onResponse(DeltaDiscoveryResponse response) {
        List<String> problems = new ArrayList<>();
        List<String> told = new ArrayList<>();
        Set<String> watched = new LinkedHashSet<>();
        for (Resource resource : response.getResourcesList()) {
            told.add(resource.getName());
            watched.add(resource.getName());
            watched.addAll(resource.getAliasesList());
            take(resource, problems);
        }
        for (String name : response.getRemovedResourcesList()) {
            told.add(name);
            watched.add(name);
            WatchedName absent = names.get(name);
            if (absent != null) {
                note(name, absent.absent(), problems);
            }
        }
        watched.retainAll(names.keySet());
        unproven.retainAll(names.keySet());
        unproven.addAll(watched);
        return new Answer(response.getNonce(), told, watched, problems);
    }

    /**
     * Makes the request that answers a response.
     *
     * @param refusal why it could not be carried out; empty when it was
     */
    DeltaDiscoveryRequest.Builder answer(Answer answer, String refusal) {
        List<String> problems = new ArrayList<>(answer.problems());
        if (refusal.isEmpty()) {
            refusedByGate.removeAll(answer.watched());
            unproven.removeAll(answer.watched());
        } else {
            refusedByGate.addAll(answer.watched());
            if (problems.isEmpty()) {
                problems.add(refusal);
            } else {
                answer.names().forEach(name -> problems.add(name + ": " + refusal));
            }
        }
        DeltaDiscoveryRequest.Builder request =
                DeltaDiscoveryRequest.newBuilder().setTypeUrl(typeUrl).setResponseNonce(answer.nonce());
        if (problems.isEmpty()) {
            accepted++;
        } else {
            rejected++;
            lastRejection = sentence(problems);
            request.setErrorDetail(Status.newBuilder().setCode(INVALID_ARGUMENT).setMessage(lastRejection));
        }
        return request;
    }

    /**
     * What a refusal says. One that names resources is about those, so where not all of them fit into a request it names
     * none, and is about the whole response.
     */
    static String sentence(List<String> problems) {
        String all = String.join("; ", problems);
        return all.length() <= MAX_REFUSAL
                ? all
                : problems.size() + " problems, the first: "
                        + VisibleText.line(problems.getFirst().replace(": ", " - "), MAX_FIRST);
    }

    /** Has what the gate refused be asked for again by {@link #nextRequest}. */
    void askAgain() {
        refusedByGate.retainAll(names.keySet());
        toSubscribe.addAll(refusedByGate);
        refusedByGate.clear();
    }

    private void take(Resource resource, List<String> problems) {
        List<WatchedName> watched = new ArrayList<>();
        add(resource.getName(), watched);
        resource.getAliasesList().forEach(alias -> add(alias, watched));
        try {
            Object value = ResourceCodec.decode(typeUrl, resource.getResource());
            for (WatchedName name : watched) {
                note(resource.getName(), name.present(value, resource.getVersion()), problems);
            }
        } catch (InvalidResourceException e) {
            String problem = resource.getName() + ": " + e.getMessage();
            problems.add(problem);
            watched.forEach(name -> name.trouble(problem));
        }
    }

    private static void note(String name, String refusal, List<String> problems) {
        if (!refusal.isEmpty()) {
            problems.add(name + ": " + refusal);
        }
    }

    private void add(String name, List<WatchedName> to) {
        WatchedName watched = names.get(name);
        if (watched != null) {
            to.add(watched);
        }
    }

    /** Tells all watchers that something is wrong. */
    void trouble(String reason) {
        List.copyOf(names.values()).forEach(name -> name.trouble(reason));
    }

    XdsStatus.TypeStatus status() {
        int present = 0;
        int waiting = 0;
        for (WatchedName name : names.values()) {
            switch (name.state()) {
                case PRESENT -> present++;
                case WAITING -> waiting++;
                case ABSENT -> {}
            }
        }
        return new XdsStatus.TypeStatus(
                ResourceType.shortNameOf(typeUrl), names.size(), present, waiting, accepted, rejected, lastRejection);
    }
}
