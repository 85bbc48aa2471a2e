package dev.tulle.proxy.admin;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import dev.tulle.common.Ip;
import dev.tulle.common.LocalApiClient;
import java.io.IOException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What the kernel knows of how requests to an endpoint ended: series of its own and of the proxies' tries together, sums of
 * its own.
 *
 * @param consecutive5xx 5xx and tries without a response
 * @param consecutiveGatewayErrors 502, 503, 504 and tries without a response
 * @param consecutiveLocalFailures tries without a response
 * @param successes responses of other classes than 5xx that it has forwarded
 * @param errors 5xx that it has forwarded
 */
record KernelOutcomes(
        long consecutive5xx,
        long consecutiveGatewayErrors,
        long consecutiveLocalFailures,
        long successes,
        long errors) {
    private static final System.Logger LOG = System.getLogger(KernelOutcomes.class.getName());

    /** Asks the agent; by address and port as people write them. Empty when there is no agent, or it does not tell. */
    static Map<String, KernelOutcomes> ask(@Nullable Path nodeSocket) {
        Map<String, KernelOutcomes> all = new HashMap<>();
        if (nodeSocket == null) {
            return all;
        }
        try (LocalApiClient agent = LocalApiClient.connect(nodeSocket)) {
            JsonObject answer = JsonParser.parseString(agent.call("{\"method\":\"outcomes\"}"))
                    .getAsJsonObject();
            if (answer.get("ok").getAsBoolean()) {
                for (JsonElement element : answer.getAsJsonArray("result")) {
                    JsonObject one = element.getAsJsonObject();
                    all.put(
                            Ip.inBrackets(one.get("address").getAsString()) + ":"
                                    + one.get("port").getAsInt(),
                            new KernelOutcomes(
                                    one.get("consecutive5xx").getAsLong(),
                                    one.get("consecutiveGatewayErrors").getAsLong(),
                                    one.get("consecutiveLocalFailures").getAsLong(),
                                    one.get("kernelSuccesses").getAsLong(),
                                    one.get("kernel5xx").getAsLong()));
                }
            }
        } catch (IOException | RuntimeException e) {
            LOG.log(System.Logger.Level.DEBUG, () -> "outcomes: " + e);
        }
        return all;
    }
}
