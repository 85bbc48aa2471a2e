package dev.tulle.agent;

import com.google.gson.JsonObject;
import dev.tulle.agent.datapath.HttpOutcome;

/** How requests to an endpoint ended, as reports and the proxy get it. */
final class OutcomeJson {
    private OutcomeJson() {}

    static JsonObject of(HttpOutcome outcome) {
        JsonObject one = new JsonObject();
        one.addProperty("address", outcome.address());
        one.addProperty("port", outcome.port());
        one.addProperty("consecutive5xx", outcome.consecutiveErrors());
        one.addProperty("consecutiveGatewayErrors", outcome.consecutiveGatewayErrors());
        one.addProperty("consecutiveLocalFailures", outcome.consecutiveLocalFailures());
        one.addProperty("kernelSuccesses", outcome.kernelSuccesses());
        one.addProperty("kernel5xx", outcome.kernelErrors());
        return one;
    }
}
