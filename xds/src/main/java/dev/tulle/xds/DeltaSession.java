package dev.tulle.xds;

import dev.tulle.xds.proto.envoy.service.discovery.v3.DeltaDiscoveryRequest;
import dev.tulle.xds.proto.envoy.service.discovery.v3.DeltaDiscoveryResponse;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * The server's half of one delta stream: what the client subscribed to, what it has, and what it still must get. Level
 * triggered: what is sent is the difference between the current snapshot and what was sent before, computed when the
 * stream can take it, so that a slow client costs no memory and skips what is outdated. Runs on the server's owner
 * thread.
 */
final class DeltaSession implements ClientSession<DeltaDiscoveryRequest> {
    /** The name that stands for all resources of a type. */
    static final String WILDCARD = "*";

    /** Resource bytes in one response; one larger resource goes alone. */
    private static final int RESPONSE_BYTES = 1 << 20;

    /** Types in one stream; Envoy has about twenty. */
    private static final int MAX_TYPES = 64;

    /** Clusters, endpoints and policies before what refers to them; what is gone goes in the opposite order. */
    private static final List<String> ORDER = List.of(
            ResourceType.CLUSTER.typeUrl(),
            ResourceType.ENDPOINTS.typeUrl(),
            ResourceType.LISTENER.typeUrl(),
            ResourceType.ROUTE.typeUrl(),
            ResourceType.AUTHORIZATION.typeUrl(),
            ResourceType.ADDRESS_URL);

    private final ResponseOutput<DeltaDiscoveryResponse> output;
    private final RefusalLog log = new RefusalLog(System::nanoTime);
    private final Map<String, Subscriptions> types = new LinkedHashMap<>();
    private ResourceSnapshot snapshot = ResourceSnapshot.NONE;
    private NodeIdentity node = NodeIdentity.UNKNOWN;
    private long nonces;
    private long pushed;

    DeltaSession(ResponseOutput<DeltaDiscoveryResponse> output) {
        this.output = output;
    }

    @Override
    public void onRequest(DeltaDiscoveryRequest request) {
        if (request.hasNode() && node.equals(NodeIdentity.UNKNOWN)) {
            node = NodeIdentity.of(request.getNode());
        }
        String typeUrl = request.getTypeUrl();
        if (typeUrl.isEmpty()) {
            throw new IllegalArgumentException("a request without type_url");
        }
        Subscriptions type = types.get(typeUrl);
        boolean first = type == null;
        if (type == null) {
            if (types.size() >= MAX_TYPES) {
                throw new IllegalArgumentException("more than " + MAX_TYPES + " resource types in one stream");
            }
            type = new Subscriptions(typeUrl);
            types.put(typeUrl, type);
        }
        if (!request.getResponseNonce().isEmpty()) {
            Optional<String> rejection = request.hasErrorDetail()
                    ? Optional.of(request.getErrorDetail().getMessage())
                    : Optional.empty();
            if (type.answered(request.getResponseNonce(), rejection)) {
                rejection.ifPresent(reason -> log.refused(node, typeUrl, reason));
            }
        }
        StreamLimits.checkNames(
                types.values().stream().mapToInt(Subscriptions::names).sum(), request.getResourceNamesSubscribeList());
        type.change(request, first, table(typeUrl));
        sendAdditions(type);
        sendRemovals(type);
        notePushed();
    }

    @Override
    public void update(ResourceSnapshot next) {
        snapshot = next;
        push();
    }

    @Override
    public void push() {
        List<Subscriptions> ordered = new ArrayList<>();
        for (String typeUrl : ORDER) {
            Subscriptions type = types.get(typeUrl);
            if (type != null) {
                ordered.add(type);
            }
        }
        types.values().stream().filter(type -> !ORDER.contains(type.typeUrl())).forEach(ordered::add);
        ordered.forEach(this::sendAdditions);
        Collections.reverse(ordered);
        ordered.forEach(this::sendRemovals);
        notePushed();
    }

    private void sendAdditions(Subscriptions type) {
        List<EncodedResource> batch = new ArrayList<>();
        int bytes = 0;
        for (EncodedResource resource : type.additions(table(type.typeUrl()))) {
            int size = resource.message().getSerializedSize();
            if (!batch.isEmpty() && bytes + size > RESPONSE_BYTES) {
                if (!takesMore(type)) {
                    return;
                }
                respond(type, batch, List.of());
                batch = new ArrayList<>();
                bytes = 0;
            }
            batch.add(resource);
            bytes += size;
        }
        if (!batch.isEmpty() && takesMore(type)) {
            respond(type, batch, List.of());
        }
    }

    /** Also answers one who asked for everything when there is nothing: Envoy waits for that before it starts. */
    private void sendRemovals(Subscriptions type) {
        List<String> removals = type.removals(table(type.typeUrl()));
        if ((!removals.isEmpty() || type.owesFirstResponse()) && takesMore(type)) {
            respond(type, List.of(), removals);
        }
    }

    private ResourceTable table(String typeUrl) {
        return snapshot.table(typeUrl, node);
    }

    private void notePushed() {
        for (Subscriptions type : types.values()) {
            if (!type.isCurrent(table(type.typeUrl()))) {
                return;
            }
        }
        pushed = snapshot.number();
    }

    private boolean takesMore(Subscriptions type) {
        return snapshot.number() > 0 && output.isReady() && !type.hasTooManyUnanswered();
    }

    private void respond(Subscriptions type, List<EncodedResource> resources, List<String> removed) {
        nonces++;
        String nonce = Long.toString(nonces);
        DeltaDiscoveryResponse.Builder response = DeltaDiscoveryResponse.newBuilder()
                .setSystemVersionInfo(Long.toString(snapshot.number()))
                .setTypeUrl(type.typeUrl())
                .setNonce(nonce)
                .addAllRemovedResources(removed);
        resources.forEach(resource -> response.addResources(resource.message()));
        type.sent(nonce, resources, removed);
        output.send(type.typeUrl(), response.build());
    }

    @Override
    public boolean isSynced(long number) {
        if (snapshot.number() < number) {
            return false;
        }
        for (Subscriptions type : types.values()) {
            if (type.unanswered() > 0 || !type.isCurrent(table(type.typeUrl()))) {
                return false;
            }
        }
        return true;
    }

    @Override
    public String client() {
        return node.client();
    }

    @Override
    public List<String> unanswered(long number) {
        return types.values().stream()
                .filter(type ->
                        snapshot.number() < number || type.unanswered() > 0 || !type.isCurrent(table(type.typeUrl())))
                .map(type -> ResourceType.shortNameOf(type.typeUrl()))
                .toList();
    }

    @Override
    public List<Refusal> refusals() {
        return types.values().stream().flatMap(type -> type.refusals().stream()).toList();
    }

    @Override
    public long rejects() {
        return types.values().stream().mapToLong(Subscriptions::nacked).sum();
    }

    @Override
    public XdsClientState state(String peer, Instant since) {
        return new XdsClientState(
                node.id(),
                node.role(),
                node.software(),
                peer,
                since,
                "delta",
                pushed,
                isSynced(snapshot.number()),
                types.values().stream()
                        .map(type -> type.state(table(type.typeUrl())))
                        .toList());
    }
}
