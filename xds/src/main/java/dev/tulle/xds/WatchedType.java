package dev.tulle.xds;

import dev.tulle.xds.proto.envoy.service.discovery.v3.DeltaDiscoveryRequest;
import dev.tulle.xds.proto.envoy.service.discovery.v3.DeltaDiscoveryResponse;
import dev.tulle.xds.proto.envoy.service.discovery.v3.Resource;
import dev.tulle.xds.proto.envoy.service.discovery.v3.Status;
import java.util.ArrayList;
import java.util.HashMap;
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

    private final String typeUrl;
    private final Map<String, WatchedName> names = new HashMap<>();
    private final Set<String> toSubscribe = new LinkedHashSet<>();
    private final Set<String> toUnsubscribe = new LinkedHashSet<>();
    /** The names that the server has been told on this stream. */
    private final Set<String> subscribed = new LinkedHashSet<>();

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
                if (watched.state() == WatchedName.State.PRESENT) {
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

    /** Takes a response, tells the watchers, and makes the answer to it. */
    DeltaDiscoveryRequest.Builder onResponse(DeltaDiscoveryResponse response) {
        List<String> problems = new ArrayList<>();
        for (Resource resource : response.getResourcesList()) {
            take(resource, problems);
        }
        for (String name : response.getRemovedResourcesList()) {
            WatchedName watched = names.get(name);
            if (watched != null) {
                watched.absent();
            }
        }
        DeltaDiscoveryRequest.Builder answer =
                DeltaDiscoveryRequest.newBuilder().setTypeUrl(typeUrl).setResponseNonce(response.getNonce());
        if (problems.isEmpty()) {
            accepted++;
        } else {
            rejected++;
            lastRejection = String.join("; ", problems);
            answer.setErrorDetail(Status.newBuilder().setCode(INVALID_ARGUMENT).setMessage(lastRejection));
        }
        return answer;
    }

    private void take(Resource resource, List<String> problems) {
        List<WatchedName> watched = new ArrayList<>();
        add(resource.getName(), watched);
        resource.getAliasesList().forEach(alias -> add(alias, watched));
        try {
            Object value = ResourceCodec.decode(typeUrl, resource.getResource());
            watched.forEach(name -> name.present(value, resource.getVersion()));
        } catch (InvalidResourceException e) {
            String problem = resource.getName() + ": " + e.getMessage();
            problems.add(problem);
            watched.forEach(name -> name.trouble(problem));
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
