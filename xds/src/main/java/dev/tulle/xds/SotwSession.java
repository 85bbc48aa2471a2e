package dev.tulle.xds;

import dev.tulle.xds.proto.envoy.service.discovery.v3.DiscoveryRequest;
import dev.tulle.xds.proto.envoy.service.discovery.v3.DiscoveryResponse;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.zip.CRC32C;

/**
 * The server's half of one state-of-the-world stream: each response holds all resources of a type that the client wants.
 * One response per type waits for its answer at a time; what changes meanwhile goes with the next. Runs on the server's
 * owner thread.
 */
final class SotwSession implements ClientSession<DiscoveryRequest> {
    private static final int MAX_TYPES = 64;

    /** Types that a request without names asks for as a whole, until names have been given. */
    private static final Set<String> WHOLE =
            Set.of(ResourceType.CLUSTER.typeUrl(), ResourceType.LISTENER.typeUrl(), ResourceType.ADDRESS_URL);

    private final ResponseOutput<DiscoveryResponse> output;
    private final RefusalLog log = new RefusalLog(System::nanoTime);
    private final Map<String, Wanted> types = new LinkedHashMap<>();
    private ResourceSnapshot snapshot = ResourceSnapshot.NONE;
    private NodeIdentity node = NodeIdentity.UNKNOWN;
    private long nonces;
    private long pushed;

    /** One type: what the client wants and what it has. */
    private static final class Wanted {
        final Set<String> names = new LinkedHashSet<>();
        boolean wildcard;
        boolean named;
        String nonce = "";
        /** The version last sent, or that the client brought along; empty when there is none. */
        String version = "";

        int sent;
        boolean unanswered;
        long acked;
        long nacked;
        String lastRejection = "";
        /** What the last response carried, version by name. */
        Map<String, String> response = Map.of();

        final Refusals refusals;

        Wanted(String typeUrl) {
            refusals = new Refusals(typeUrl);
        }
    }

    SotwSession(ResponseOutput<DiscoveryResponse> output) {
        this.output = output;
    }

    @Override
    public void onRequest(DiscoveryRequest request) {
        if (request.hasNode() && node.equals(NodeIdentity.UNKNOWN)) {
            node = NodeIdentity.of(request.getNode());
        }
        String typeUrl = request.getTypeUrl();
        if (typeUrl.isEmpty()) {
            throw new IllegalArgumentException("a request without type_url");
        }
        Wanted type = types.get(typeUrl);
        if (type == null) {
            if (types.size() >= MAX_TYPES) {
                throw new IllegalArgumentException("more than " + MAX_TYPES + " resource types in one stream");
            }
            type = new Wanted(typeUrl);
            types.put(typeUrl, type);
            // What the client accepted on an earlier stream: the same version again would tell it nothing.
            type.version = request.getVersionInfo();
        } else if (!request.getResponseNonce().equals(type.nonce)) {
            // Made before the client saw the last response: it will ask again.
            return;
        }
        if (type.unanswered) {
            answered(type, request);
        }
        StreamLimits.checkNames(
                types.values().stream().mapToInt(each -> each.names.size()).sum() - type.names.size(),
                request.getResourceNamesList());
        want(type, typeUrl, request.getResourceNamesList());
        push();
    }

    private void answered(Wanted type, DiscoveryRequest request) {
        type.unanswered = false;
        if (request.hasErrorDetail()) {
            type.nacked++;
            String reason = request.getErrorDetail().getMessage();
            type.lastRejection = RefusalLog.shown(reason);
            type.refusals.refused(type.response, reason);
            log.refused(node, request.getTypeUrl(), reason);
        } else {
            type.acked++;
            // A response of this variant is everything that the client asked for.
            type.refusals.retain(Set.of());
        }
    }

    private static void want(Wanted type, String typeUrl, List<String> names) {
        type.named |= !names.isEmpty();
        type.wildcard = names.contains(DeltaSession.WILDCARD) || (!type.named && WHOLE.contains(typeUrl));
        type.names.clear();
        type.names.addAll(names);
        type.names.remove(DeltaSession.WILDCARD);
    }

    @Override
    public void update(ResourceSnapshot next) {
        snapshot = next;
        push();
    }

    @Override
    public void push() {
        for (ResourceType<?> ordered : ResourceType.all()) {
            Wanted type = types.get(ordered.typeUrl());
            if (type != null) {
                push(ordered.typeUrl(), type);
            }
        }
        for (Map.Entry<String, Wanted> entry : types.entrySet()) {
            push(entry.getKey(), entry.getValue());
        }
        if (types.entrySet().stream().allMatch(entry -> isCurrent(entry.getKey(), entry.getValue()))) {
            pushed = snapshot.number();
        }
    }

    private void push(String typeUrl, Wanted type) {
        if (type.unanswered || snapshot.number() == 0 || !output.isReady()) {
            return;
        }
        Map<String, EncodedResource> resources = resources(typeUrl, type);
        String version = version(resources);
        if (version.equals(type.version)) {
            return;
        }
        if (isUnsayable(typeUrl, type, resources)) {
            return;
        }
        nonces++;
        type.nonce = Long.toString(nonces);
        type.version = version;
        type.sent = resources.size();
        type.unanswered = true;
        Map<String, String> versions = new HashMap<>();
        resources.forEach((name, resource) -> versions.put(name, resource.version()));
        type.response = versions;
        DiscoveryResponse.Builder response = DiscoveryResponse.newBuilder()
                .setVersionInfo(version)
                .setTypeUrl(typeUrl)
                .setNonce(type.nonce);
        resources
                .values()
                .forEach(resource -> response.addResources(resource.message().getResource()));
        output.send(typeUrl, response.build());
    }

    private ResourceTable table(String typeUrl) {
        return snapshot.table(typeUrl, node);
    }

    private Map<String, EncodedResource> resources(String typeUrl, Wanted type) {
        ResourceTable table = table(typeUrl);
        Map<String, EncodedResource> found = new TreeMap<>();
        if (type.wildcard) {
            table.all().forEach(resource -> found.put(resource.name(), resource));
        }
        for (String name : type.names) {
            EncodedResource resource = table.resolve(name);
            if (resource != null) {
                found.put(resource.name(), resource);
            }
        }
        return found;
    }

    /** The same for the same resources, also in another process. */
    private static String version(Map<String, EncodedResource> resources) {
        CRC32C digest = new CRC32C();
        resources.forEach((name, resource) -> {
            digest.update(name.getBytes(StandardCharsets.UTF_8));
            digest.update(resource.version().getBytes(StandardCharsets.UTF_8));
        });
        return resources.size() + "-" + Long.toHexString(digest.getValue());
    }

    private boolean isCurrent(String typeUrl, Wanted type) {
        Map<String, EncodedResource> resources = resources(typeUrl, type);
        return version(resources).equals(type.version) || isUnsayable(typeUrl, type, resources);
    }

    /**
     * Nothing of what was named exists: this variant of the protocol has no words for it. Of secrets an empty response says
     * it, once all that were named are decided.
     */
    private boolean isUnsayable(String typeUrl, Wanted type, Map<String, EncodedResource> resources) {
        return resources.isEmpty()
                && !type.wildcard
                && type.nonce.isEmpty()
                && (!typeUrl.equals(ResourceType.SECRET.typeUrl())
                        || type.names.isEmpty()
                        || type.names.stream().anyMatch(table(typeUrl)::isAwaited));
    }

    @Override
    public boolean isSynced(long number) {
        return snapshot.number() >= number
                && types.entrySet().stream()
                        .allMatch(entry -> !entry.getValue().unanswered && isCurrent(entry.getKey(), entry.getValue()));
    }

    @Override
    public String client() {
        return node.client();
    }

    @Override
    public List<String> unanswered(long number) {
        return types.entrySet().stream()
                .filter(entry -> snapshot.number() < number
                        || entry.getValue().unanswered
                        || !isCurrent(entry.getKey(), entry.getValue()))
                .map(entry -> ResourceType.shortNameOf(entry.getKey()))
                .toList();
    }

    @Override
    public List<Refusal> refusals() {
        return types.values().stream()
                .flatMap(type -> type.refusals.all().stream())
                .toList();
    }

    @Override
    public long rejects() {
        return types.values().stream().mapToLong(type -> type.nacked).sum();
    }

    @Override
    public XdsClientState state(String peer, Instant since) {
        List<XdsClientState.TypeState> states = new ArrayList<>();
        types.forEach((typeUrl, type) -> states.add(new XdsClientState.TypeState(
                ResourceType.shortNameOf(typeUrl),
                type.wildcard,
                type.names.size(),
                type.sent,
                type.unanswered ? 1 : 0,
                type.acked,
                type.nacked,
                !type.unanswered && isCurrent(typeUrl, type),
                type.lastRejection)));
        return new XdsClientState(
                node.id(),
                node.role(),
                node.software(),
                peer,
                since,
                "sotw",
                pushed,
                isSynced(snapshot.number()),
                states);
    }
}
