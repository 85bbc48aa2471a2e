package dev.tulle.proxy.accept;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import dev.tulle.model.AppProtocol;
import java.util.ArrayList;
import java.util.List;

/**
 * A workload's port that the agent wants opened to the outside.
 *
 * @param address where to listen
 * @param port where to listen
 * @param workload the workload's name
 * @param namespace its namespace
 * @param host the full name of its service; empty when it is of none
 * @param targetAddress the workload's address
 * @param targetPort the port it listens on
 * @param protocol what is spoken there
 */
record Publication(
        String address,
        int port,
        String workload,
        String namespace,
        String host,
        String targetAddress,
        int targetPort,
        AppProtocol protocol) {
    /** Reads the agent's message. */
    static List<Publication> parse(JsonObject message) {
        List<Publication> all = new ArrayList<>();
        for (JsonElement element : message.getAsJsonArray("listeners")) {
            JsonObject one = element.getAsJsonObject();
            all.add(new Publication(
                    one.get("address").getAsString(),
                    one.get("port").getAsInt(),
                    one.get("workload").getAsString(),
                    one.get("namespace").getAsString(),
                    one.has("host") ? one.get("host").getAsString() : "",
                    one.get("targetAddress").getAsString(),
                    one.get("targetPort").getAsInt(),
                    AppProtocol.parse(one.get("protocol").getAsString()).orElse(AppProtocol.AUTO)));
        }
        return all;
    }

    @Override
    public String toString() {
        return address + ":" + port + " -> " + namespace + "/" + workload + " " + targetAddress + ":" + targetPort;
    }
}
