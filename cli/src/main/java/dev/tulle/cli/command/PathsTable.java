package dev.tulle.cli.command;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import dev.tulle.cli.client.Json;
import dev.tulle.cli.output.Output;
import dev.tulle.cli.output.Table;
import java.util.List;
import java.util.Locale;

/** The agent's report of paths as text: a line per service port, and one per route that goes another way. */
final class PathsTable {
    private PathsTable() {}

    static String text(JsonObject report) {
        StringBuilder text = new StringBuilder();
        text.append("tier ").append(Json.text(report, "tier")).append(", kernel HTTP ");
        text.append(Json.bool(report, "kernelHttp") ? "on" : "off: " + Json.text(report, "kernelHttpReason"));
        text.append("\n\n");
        Table table = new Table("SERVICE", "PORT", "PATH", "KERNEL", "PROXY", "WHY NOT FASTER");
        for (JsonObject port : Json.objects(report, "ports")) {
            String path = Json.text(port, "path");
            JsonObject requests = Json.object(port, "requests");
            table.row(
                    Json.text(port, "service"),
                    Json.text(port, "port"),
                    path,
                    share(requests, "kernel"),
                    share(requests, "proxy"),
                    Json.text(port, "reason"));
            for (JsonObject route : Json.objects(port, "routes")) {
                if (!Json.text(route, "path").equals(path)) {
                    table.row(
                            "  route " + Json.text(route, "name"),
                            "",
                            Json.text(route, "path"),
                            "",
                            "",
                            Json.text(route, "reason"));
                }
            }
        }
        if (table.isEmpty()) {
            return text.append("no service is in use on this node\n").toString();
        }
        text.append(table.text(Output.colour()));
        String trouble = Json.text(report, "proxyTrouble");
        if (!trouble.isEmpty()) {
            text.append("\nthe proxy's requests are not known: ")
                    .append(trouble)
                    .append('\n');
        }
        return text.toString();
    }

    /** Requests of one way and their part of all that are known. */
    private static String share(JsonObject requests, String way) {
        JsonElement own = requests.get(way);
        if (own == null) {
            return "";
        }
        long all = 0;
        for (String one : List.of("kernel", "proxy")) {
            all += requests.has(one) ? requests.get(one).getAsLong() : 0;
        }
        long count = own.getAsLong();
        boolean both = requests.has("kernel") && requests.has("proxy");
        return !both || all == 0
                ? Long.toString(count)
                : String.format(Locale.ROOT, "%d (%.1f %%)", count, 100.0 * count / all);
    }
}
