package dev.tulle.agent;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import dev.tulle.agent.enrol.EnrolRequest;
import dev.tulle.agent.enrol.EnrolSpec;
import dev.tulle.it.fuzz.Cost;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * Lines of the agent's local API: each is answered with one line of JSON, with a reason where it is refused, and none
 * looks like a defect of the agent.
 */
public final class LocalApiFuzz {
    private static final LocalApi API = new LocalApi(Map.of("run", (params, _) -> {
        EnrolSpec spec = EnrolRequest.parse(params);
        JsonObject answer = new JsonObject();
        answer.addProperty("key", spec.key());
        Cost.must(spec.key().matches("[-a-z0-9]+/[-a-z0-9]+"), "a name: " + spec.key());
        return answer;
    }));

    private LocalApiFuzz() {}

    /** One line. */
    public static void fuzzerTestOneInput(byte[] data) {
        Cost.within(data.length, 400_000, 2_000, () -> check(new String(data, StandardCharsets.UTF_8)));
    }

    private static void check(String line) {
        List<String> answers = new ArrayList<>();
        try {
            API.handle(line, answers::add);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        // Who asks for it is told first that the request has begun.
        if (answers.size() == 2 && answers.getFirst().equals("{\"progress\":true}")) {
            answers.removeFirst();
        }
        Cost.must(answers.size() == 1, answers.size() + " answers");
        String answer = answers.getFirst();
        Cost.must(answer.indexOf('\n') < 0, "an answer of two lines");
        JsonObject read = JsonParser.parseString(answer).getAsJsonObject();
        if (!read.get("ok").getAsBoolean()) {
            JsonObject error = read.getAsJsonObject("error");
            Cost.must(!error.get("message").getAsString().isEmpty(), "a refusal without a word");
            Cost.must(!error.get("code").getAsString().equals("failed"), "a defect: " + error);
        }
    }

    /** Requests with every field. */
    public static List<byte[]> seeds() {
        List<byte[]> seeds = new ArrayList<>();
        for (String text : List.of(
                "{\"method\":\"run\",\"params\":{\"name\":\"a\",\"namespace\":\"shop\",\"service\":\"a.b\",\"serviceAccount\":\"x\","
                        + "\"labels\":{\"app\":\"a\",\"x.y/z\":\"1\"},\"ports\":[\"http:80\",\"81\",\"udp:53\"],"
                        + "\"publish\":[\"8080:80\",\"[::1]:1:2\"],\"permit\":[\"host\",\"outside:80\"],"
                        + "\"probes\":[\"tcp:80\",\"http/health\",\"exec:true x\"],\"new\":true}}",
                "{\"method\":\"run\",\"params\":{\"name\":\"a\",\"ports\":[80],\"pid\":17,\"probes\":[{\"httpGet\":{\"path\":\"/x\","
                        + "\"port\":80},\"periodMillis\":50,\"timeoutSeconds\":1,\"initialDelaySeconds\":0,"
                        + "\"successThreshold\":1,\"failureThreshold\":3},{\"exec\":{\"command\":[\"a\",\"b\"]}},"
                        + "{\"tcpSocket\":{\"port\":80}}]}}",
                "{\"method\":\"run\",\"progress\":true,\"params\":{\"name\":\"a\",\"enter\":17,\"splice\":\"on\"}}",
                "{\"method\":\"run\",\"progress\":{},\"params\":{\"name\":\"a\",\"unit\":\"nginx.service\"}}",
                "{\"method\":\"run\",\"params\":{\"name\":\"a\",\"cgroup\":\"/x\"}}",
                "{\"method\":\"status\"}",
                "[]",
                "{\"method\":[\"a\",\"b\"]}")) {
            seeds.add(text.getBytes(StandardCharsets.UTF_8));
        }
        return seeds;
    }
}
