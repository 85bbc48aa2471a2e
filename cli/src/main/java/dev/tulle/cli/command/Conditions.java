package dev.tulle.cli.command;

import com.google.gson.JsonObject;
import dev.tulle.cli.client.Json;
import java.util.ArrayList;
import java.util.List;

/** Writes the status of an object of Gateway API for people: a line for each listener and each parent. */
final class Conditions {
    private Conditions() {}

    static String text(JsonObject resource) {
        if (!(resource.get("status") instanceof JsonObject status)) {
            return "";
        }
        String object = Json.text(resource, "kind") + " " + Json.text(resource, "name");
        StringBuilder text = new StringBuilder();
        List<String> refused = conditions(status, false);
        if (!refused.isEmpty()) {
            text.append(object).append(": ").append(String.join(", ", refused)).append('\n');
        }
        for (JsonObject listener : Json.objects(status, "listeners")) {
            long routes = Json.number(listener, "attachedRoutes");
            String hostname = Json.text(listener, "hostname");
            text.append(object)
                    .append(": listener ")
                    .append(Json.text(listener, "name"))
                    .append(" (")
                    .append(Json.text(listener, "protocol"))
                    .append(' ')
                    .append(Json.number(listener, "port"))
                    .append(hostname.equals("*") ? "" : " " + hostname)
                    .append("): ")
                    .append(String.join(", ", conditions(listener, true)))
                    .append(", ")
                    .append(routes)
                    .append(routes == 1 ? " attached route\n" : " attached routes\n");
        }
        for (JsonObject parent : Json.objects(status, "parents")) {
            text.append(object)
                    .append(": at ")
                    .append(Json.text(parent, "parent"))
                    .append(": ")
                    .append(String.join(", ", conditions(parent, true)))
                    .append('\n');
        }
        return text.toString();
    }

    /** What holds by its name, where that is wanted, and what does not with its reason. */
    private static List<String> conditions(JsonObject owner, boolean all) {
        List<String> out = new ArrayList<>();
        for (JsonObject condition : Json.objects(owner, "conditions")) {
            String type = Json.text(condition, "type");
            if (!Json.bool(condition, "status")) {
                out.add("not " + type + " (" + Json.text(condition, "reason") + ": " + Json.text(condition, "message")
                        + ")");
            } else if (all) {
                out.add(type);
            }
        }
        return out;
    }
}
