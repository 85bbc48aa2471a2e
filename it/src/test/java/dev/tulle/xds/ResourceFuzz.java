package dev.tulle.xds;

import com.google.protobuf.Any;
import com.google.protobuf.ByteString;
import dev.tulle.it.fuzz.Cost;
import dev.tulle.it.fuzz.Manifests;
import dev.tulle.model.MeshState;
import dev.tulle.model.ResourceRef;
import dev.tulle.model.Secret;
import dev.tulle.model.Workload;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;

/**
 * Resources from a control plane, of every type: refused as an invalid resource, or a value of the model that is the same
 * after it was sent on. The first byte says the type.
 */
public final class ResourceFuzz {
    /** Types that came later are last: inputs that are kept mean what they meant. */
    private static final List<String> TYPES = ResourceType.all().stream()
            .map(ResourceType::typeUrl)
            .distinct()
            .sorted(Comparator.comparing((String url) -> url.equals(ResourceType.SECRET.typeUrl()))
                    .thenComparing(Comparator.naturalOrder()))
            .toList();

    private ResourceFuzz() {}

    /** One resource. */
    public static void fuzzerTestOneInput(byte[] data) {
        if (data.length > 0) {
            Cost.within(data.length, 1_000_000, 2_000, () -> check(data));
        }
    }

    private static void check(byte[] data) {
        String type = TYPES.get((data[0] & 0xff) % TYPES.size());
        Object value;
        try {
            value = decode(type, ByteString.copyFrom(data, 1, data.length - 1));
        } catch (InvalidResourceException e) {
            Cost.must(e.getMessage() != null && !e.getMessage().isEmpty(), "a refusal without a word");
            return;
        }
        Any sent;
        try {
            sent = ResourceCodec.encode(value);
        } catch (IllegalArgumentException e) {
            // What other control planes may say and this one never does.
            return;
        }
        try {
            Object again = decode(type, sent.getValue());
            Cost.must(again.equals(value), "another value when sent on: " + value + " is " + again);
        } catch (InvalidResourceException e) {
            throw new AssertionError("sent on it is refused: " + value, e);
        }
    }

    private static Object decode(String type, ByteString bytes) throws InvalidResourceException {
        return ResourceCodec.decode(
                type, Any.newBuilder().setTypeUrl(type).setValue(bytes).build());
    }

    /** What the samples translate to. */
    public static List<byte[]> seeds() {
        Workload workload = new Workload(
                "n/default/reviews-v1",
                "reviews-v1",
                "default",
                "default",
                "n",
                List.of("10.0.0.1"),
                Map.of("app", "reviews", "version", "v1"),
                List.of("reviews.default.svc.cluster.local"),
                List.of(),
                true,
                ResourceRef.DEFAULT);
        MeshState state = Manifests.translated(List.of(workload));
        List<Object> values = new ArrayList<>(List.of(workload));
        values.addAll(state.services().values());
        values.addAll(state.listeners().values());
        values.addAll(state.routes().values());
        values.addAll(state.clusters().values());
        values.addAll(state.endpoints().values());
        values.addAll(state.policies().values());
        values.add(new Secret.IdentityCertificate("spiffe://td/ns/default/sa/a", "chain", "key"));
        values.add(new Secret.TrustedRoots(Secret.ROOTS, "roots"));
        List<byte[]> seeds = new ArrayList<>();
        for (Object value : values) {
            Any any = ResourceCodec.encode(value);
            byte[] seed = new byte[any.getValue().size() + 1];
            seed[0] = (byte) TYPES.indexOf(any.getTypeUrl());
            any.getValue().copyTo(seed, 1);
            seeds.add(seed);
        }
        return seeds;
    }
}
