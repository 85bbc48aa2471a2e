package dev.tulle.control;

import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import dev.tulle.it.fuzz.Cost;
import dev.tulle.it.fuzz.Manifests;
import dev.tulle.model.MeshState;
import java.nio.charset.StandardCharsets;
import java.util.List;

/** What a person asks explain: answered, or refused with words. */
public final class ExplainFuzz {
    private static final MeshState STATE = Manifests.translated(List.of());

    private ExplainFuzz() {}

    /** One question. */
    public static void fuzzerTestOneInput(byte[] data) {
        Cost.within(data.length, 4_000_000, 4_000, () -> check(new String(data, StandardCharsets.UTF_8)));
    }

    private static void check(String text) {
        JsonObject params;
        try {
            if (!(JsonParser.parseString(text) instanceof JsonObject object)) {
                return;
            }
            params = object;
        } catch (JsonParseException e) {
            return;
        }
        try {
            Cost.must(Explainer.explain(STATE, EndedWorkloads.NONE, params).isJsonObject(), "no object");
        } catch (ApiFailure e) {
            Cost.must(e.getMessage() != null && !e.getMessage().isEmpty(), "a refusal without a word");
        }
    }

    /** Questions with every field. */
    public static List<byte[]> seeds() {
        return List.of(
                        "{\"from\":\"productpage-v1\",\"to\":\"http://reviews:9080/a?b=c\",\"method\":\"GET\",\"headers\":{\"end-user\":\"jason\"}}",
                        "{\"from\":\"default/productpage-v1\",\"namespace\":\"default\",\"to\":\"reviews.default.svc.cluster.local:9080\"}",
                        "{\"to\":\"[::1]:80\"}",
                        "{\"from\":\"x\",\"to\":\"http://240.240.0.1:9080\",\"headers\":[\"a: b\"]}")
                .stream()
                .map(one -> one.getBytes(StandardCharsets.UTF_8))
                .toList();
    }
}
