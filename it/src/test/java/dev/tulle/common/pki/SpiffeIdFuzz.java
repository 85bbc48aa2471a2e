package dev.tulle.common.pki;

import dev.tulle.it.fuzz.Cost;
import java.nio.charset.StandardCharsets;
import java.util.List;

/** Identities in text: refused, or the same when written again, and of one kind at most. */
public final class SpiffeIdFuzz {
    private SpiffeIdFuzz() {}

    /** One text. */
    public static void fuzzerTestOneInput(byte[] data) {
        Cost.within(data.length, 100_000, 1_000, () -> check(new String(data, StandardCharsets.UTF_8)));
    }

    private static void check(String text) {
        SpiffeId id;
        try {
            id = SpiffeId.parse(text);
        } catch (IllegalArgumentException e) {
            Cost.must(e.getMessage() != null, "a refusal without a word");
            return;
        }
        Cost.must(id.toString().equals(text), text + " is written " + id);
        int kinds = (id.workload().isPresent() ? 1 : 0) + (id.node().isPresent() ? 1 : 0) + (id.isControl() ? 1 : 0);
        Cost.must(kinds <= 1, text + " is several things");
        id.workload()
                .ifPresent(name -> Cost.must(
                        SpiffeId.workload(id.trustDomain(), name.namespace(), name.serviceAccount())
                                .equals(id),
                        text + " is another workload"));
        id.node()
                .ifPresent(name -> Cost.must(
                        (id.isProxy() ? SpiffeId.proxy(id.trustDomain(), name) : SpiffeId.node(id.trustDomain(), name))
                                .equals(id),
                        text + " is another node"));
    }

    /** One of each shape. */
    public static List<byte[]> seeds() {
        return List.of(
                        "spiffe://cluster.local/ns/default/sa/reviews",
                        "spiffe://cluster.local/node/a/proxy",
                        "spiffe://cluster.local/control",
                        "spiffe://td/../x",
                        "SPIFFE://td/%2e")
                .stream()
                .map(text -> text.getBytes(StandardCharsets.UTF_8))
                .toList();
    }
}
