package dev.tulle.xds;

import dev.tulle.xds.proto.envoy.service.discovery.v3.DeltaDiscoveryRequest;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * One resource type of one delta stream: the names that the client wants, the version it was sent of each, and the
 * responses that it has not answered. A name is what the client asked for, which may be an alias; with the wildcard it is
 * the resource's own.
 */
final class Subscriptions {
    /** Stands for the version of a name that the client was told does not exist. */
    private static final String ABSENT = "";

    /** Responses that may wait for an answer: bounds what a client that never answers makes us remember. */
    private static final int MAX_UNANSWERED = 32;

    /** Types that a first request without names subscribes to as a whole, as it was before the wildcard had a name. */
    private static final Set<String> LEGACY_WILDCARD =
            Set.of(ResourceType.CLUSTER.typeUrl(), ResourceType.LISTENER.typeUrl(), ResourceType.ADDRESS_URL);

    private final String typeUrl;
    private final Set<String> names = new LinkedHashSet<>();
    private final Map<String, String> sent = new HashMap<>();
    /** Of each response that waits for an answer, the versions by name; {@link #ABSENT} of what it takes away. */
    private final Map<String, Map<String, String>> unanswered = new LinkedHashMap<>();

    private final Refusals refusals;
    private boolean wildcard;
    private boolean owesFirstResponse;
    private long acked;
    private long nacked;
    private String lastRejection = "";

    /** The table that was found to hold nothing new, so that the next look at it is short. */
    private @Nullable ResourceTable current;

    Subscriptions(String typeUrl) {
        this.typeUrl = typeUrl;
        this.refusals = new Refusals(typeUrl);
    }

    String typeUrl() {
        return typeUrl;
    }

    int unanswered() {
        return unanswered.size();
    }

    /** What the client was sent, subscribes to and does not use. */
    List<Refusal> refusals() {
        return refusals.all();
    }

    /** How many names the client has subscribed to. */
    int names() {
        return names.size();
    }

    long nacked() {
        return nacked;
    }

    boolean hasTooManyUnanswered() {
        return unanswered.size() >= MAX_UNANSWERED;
    }

    /** True when the client asked for all and waits for an answer even if there is nothing. */
    boolean owesFirstResponse() {
        return owesFirstResponse;
    }

    /** Takes the client's answer to a response; false for one that is not waiting, which is without effect. */
    boolean answered(String nonce, Optional<String> rejection) {
        Map<String, String> of = unanswered.remove(nonce);
        if (of == null) {
            return false;
        }
        if (rejection.isPresent()) {
            nacked++;
            lastRejection = RefusalLog.shown(
                    rejection.get().isEmpty()
                            ? "refused without a reason: " + String.join(", ", of.keySet())
                            : rejection.get());
            refusals.refused(of, rejection.get());
        } else {
            acked++;
            refusals.accepted(of.keySet());
        }
        return true;
    }

    /**
     * Takes the names that a request adds and takes back, in this order: ztunnel says "nothing yet" by adding and taking
     * back the wildcard in one request.
     *
     * @param first true on the type's first request of the stream, which says what the client has from an earlier one
     */
    void change(DeltaDiscoveryRequest request, boolean first, ResourceTable table) {
        current = null;
        boolean all = request.getResourceNamesSubscribeList().contains(DeltaSession.WILDCARD)
                || (first && request.getResourceNamesSubscribeCount() == 0 && LEGACY_WILDCARD.contains(typeUrl));
        if (all && !wildcard) {
            wildcard = true;
            owesFirstResponse = true;
        }
        for (String name : request.getResourceNamesSubscribeList()) {
            if (!name.equals(DeltaSession.WILDCARD)) {
                names.add(name);
                // Asking again is asking for an answer, also when nothing changed.
                sent.remove(name);
            }
        }
        if (first) {
            hold(request.getInitialResourceVersionsMap(), table);
        }
        for (String name : request.getResourceNamesUnsubscribeList()) {
            unsubscribe(name, table);
        }
    }

    /** Notes what the client kept from an earlier stream, as far as it still wants it. */
    private void hold(Map<String, String> held, ResourceTable table) {
        if (wildcard) {
            sent.putAll(held);
        }
        for (String name : names) {
            EncodedResource resource = table.resolve(name);
            String version = held.get(name);
            if (version == null && resource != null) {
                version = held.get(resource.name());
            }
            if (version != null && !version.equals(ABSENT)) {
                sent.put(name, version);
            }
        }
    }

    private void unsubscribe(String name, ResourceTable table) {
        if (name.equals(DeltaSession.WILDCARD)) {
            wildcard = false;
            owesFirstResponse = false;
            sent.keySet().retainAll(names);
            refusals.retain(names);
        } else if (names.remove(name) && !(wildcard && table.has(name))) {
            sent.remove(name);
            EncodedResource resource = table.resolve(name);
            refusals.forget(resource == null ? name : resource.name());
        }
    }

    /** The resources that the client lacks or has in another version. */
    List<EncodedResource> additions(ResourceTable table) {
        if (table == current) {
            return List.of();
        }
        Set<EncodedResource> lacking = new LinkedHashSet<>();
        if (wildcard) {
            for (EncodedResource resource : table.all()) {
                if (!resource.version().equals(sent.get(resource.name()))) {
                    lacking.add(resource);
                }
            }
        }
        for (String name : names) {
            EncodedResource resource = table.resolve(name);
            if (resource != null && !resource.version().equals(sent.get(name))) {
                lacking.add(resource);
            }
        }
        return new ArrayList<>(lacking);
    }

    /** The names that do not exist (any more) and that the client has not been told so. */
    List<String> removals(ResourceTable table) {
        if (table == current) {
            return List.of();
        }
        Set<String> gone = new LinkedHashSet<>();
        for (String name : names) {
            if (table.resolve(name) == null && !ABSENT.equals(sent.get(name)) && !table.isAwaited(name)) {
                gone.add(name);
            }
        }
        if (wildcard) {
            for (Map.Entry<String, String> had : sent.entrySet()) {
                if (!had.getValue().equals(ABSENT) && !table.has(had.getKey()) && !names.contains(had.getKey())) {
                    gone.add(had.getKey());
                }
            }
        }
        return new ArrayList<>(gone);
    }

    /** Notes what a response told the client. */
    void sent(String nonce, List<EncodedResource> resources, List<String> removed) {
        owesFirstResponse = false;
        Map<String, String> of = new LinkedHashMap<>();
        removed.forEach(name -> of.put(name, ABSENT));
        for (EncodedResource resource : resources) {
            of.put(resource.name(), resource.version());
            if (wildcard || names.contains(resource.name())) {
                sent.put(resource.name(), resource.version());
            }
            for (String alias : resource.aliases()) {
                if (names.contains(alias)) {
                    sent.put(alias, resource.version());
                }
            }
        }
        for (String name : removed) {
            if (names.contains(name)) {
                sent.put(name, ABSENT);
            } else {
                sent.remove(name);
            }
        }
        unanswered.put(nonce, of);
    }

    /** True when the client has been sent everything of the table that it wants. */
    boolean isCurrent(ResourceTable table) {
        if (table == current) {
            return true;
        }
        if (owesFirstResponse || !additions(table).isEmpty() || !removals(table).isEmpty()) {
            return false;
        }
        current = table;
        return true;
    }

    XdsClientState.TypeState state(ResourceTable table) {
        Set<String> present = new HashSet<>();
        sent.forEach((name, version) -> {
            if (!version.equals(ABSENT)) {
                present.add(name);
            }
        });
        return new XdsClientState.TypeState(
                ResourceType.shortNameOf(typeUrl),
                wildcard,
                names.size(),
                present.size(),
                unanswered.size(),
                acked,
                nacked,
                unanswered.isEmpty() && isCurrent(table),
                lastRejection);
    }
}
