package dev.tulle.proxy.handover;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import dev.tulle.it.fuzz.Cost;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/**
 * What a stranger that took over the proxy's user may say to the next proxy and to the agent: questions are answered with
 * one line, answers are a status or refused by an {@link IOException}. The first byte tells which of both it is.
 */
public final class HandOverFuzz {
    private HandOverFuzz() {}

    /** One line. */
    public static void fuzzerTestOneInput(byte[] data) {
        if (data.length > 0) {
            String line = new String(data, 1, data.length - 1, StandardCharsets.UTF_8);
            Cost.within(data.length, 400_000, 2_000, () -> check(data[0] % 2 == 0, line));
        }
    }

    private static void check(boolean question, String line) {
        if (question) {
            // One per line: what it inherits is kept.
            HandOver over = new HandOver(Path.of("/nowhere"), () -> {}, () -> "a 1\n", () -> 1);
            String answer = over.reply(line);
            Cost.must(answer.indexOf('\n') < 0, "an answer of two lines");
            JsonObject read = JsonParser.parseString(answer).getAsJsonObject();
            Cost.must(read.has("result") != read.has("error"), "neither a result nor an error: " + answer);
            return;
        }
        try {
            Predecessor.Status status = Predecessor.Status.of(Predecessor.result(line));
            Cost.must(status.state().length() <= line.length(), "more than was said: " + status);
        } catch (IOException e) {
            Cost.must(e.getMessage() != null && !e.getMessage().isEmpty(), "a refusal without a word");
        }
    }

    /** Every question, and answers to them. */
    public static List<byte[]> seeds() {
        return Stream.of(
                        "\0{\"method\":\"status\"}",
                        "\0{\"method\":\"retire\",\"params\":{}}",
                        "\0{\"method\":\"metrics\",\"params\":{}}",
                        "\0{\"method\":\"inherit\",\"params\":{\"pid\":7,\"text\":\"# TYPE a counter\\na 1\\n\"}}",
                        "\1{\"result\":{\"pid\":7,\"state\":\"serving\",\"connections\":3}}",
                        "\1{\"error\":\"no method\"}")
                .map(line -> line.getBytes(StandardCharsets.UTF_8))
                .toList();
    }
}
