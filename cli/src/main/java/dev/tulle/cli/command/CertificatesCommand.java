package dev.tulle.cli.command;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import dev.tulle.cli.client.Json;
import dev.tulle.cli.client.MeshClient;
import dev.tulle.cli.client.MeshPlace;
import dev.tulle.cli.output.Output;
import dev.tulle.cli.output.Table;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Parameters;

/** The mesh's certificate authority. */
@Command(
        name = "certificates",
        description = "Shows the mesh's certificate authority: its roots, who trusts them, what will end when.",
        subcommands = {NodeCertificates.class, CertificatesCommand.Revoke.class, CertificatesCommand.Rotate.class})
public final class CertificatesCommand extends BaseCommand {
    /** Digits of a fingerprint that tables show. */
    private static final int SHORT = 16;

    @Mixin
    private final MeshPlace place = new MeshPlace();

    @Mixin
    private final Output output = new Output();

    /** Makes the command. */
    public CertificatesCommand() {}

    @Override
    public Integer call() {
        JsonObject status;
        try (MeshClient control = MeshClient.control(place)) {
            status = control.call("certificates", new JsonObject()).getAsJsonObject();
        }
        output.print(out(), status, () -> text(status));
        return 0;
    }

    private static String text(JsonObject status) {
        JsonObject rotation = Json.object(status, "rotation");
        StringBuilder text = new StringBuilder();
        text.append("authority  ").append(source(Json.text(status, "source"))).append(", trust domain ");
        text.append(Json.text(status, "trustDomain")).append('\n');
        text.append("rotation   ").append(phase(rotation)).append('\n');
        text.append("issued     ").append(Json.text(status, "living")).append(" in use, ");
        text.append(Json.text(status, "signed")).append(" signed since the control plane started\n");
        for (JsonElement waiting : status.getAsJsonArray("waiting")) {
            text.append("waits      ").append(waiting.getAsString()).append('\n');
        }
        List<Table> tables = new ArrayList<>(List.of(roots(status), nodes(status), revoked(status), forecast(status)));
        tables.removeIf(Table::isEmpty);
        tables.forEach(table -> text.append('\n').append(table.text(Output.colour())));
        return text.toString();
    }

    private static String source(String source) {
        return source.equals("own") ? "the control plane's own" : "plugged in from " + source;
    }

    private static String phase(JsonObject rotation) {
        String since = " since " + Json.text(rotation, "since");
        String current = "root " + Json.text(rotation, "current");
        String other = "root " + Json.text(rotation, "other");
        return switch (Json.text(rotation, "phase")) {
            case "ANNOUNCING" -> other + " is announced, " + current + " signs," + since;
            case "REPLACING" -> current + " signs, " + other + " is still trusted," + since;
            default -> "none: " + current + " signs";
        };
    }

    private static Table roots(JsonObject status) {
        Table table = new Table("ROOT", "SIGNS", "ENDS", "FINGERPRINT (SHA-256)", "NAME");
        for (JsonObject root : Json.objects(status, "roots")) {
            table.row(
                    Json.text(root, "number"),
                    Json.bool(root, "signs") ? "yes" : "no",
                    Json.text(root, "end"),
                    Json.text(root, "fingerprint"),
                    Json.text(root, "subject"));
        }
        return table;
    }

    private static Table nodes(JsonObject status) {
        Table table = new Table("NODE", "TRUSTS");
        for (Map.Entry<String, JsonElement> node :
                Json.object(status, "trusted").entrySet()) {
            List<String> trusts = new ArrayList<>();
            for (JsonElement root : node.getValue().getAsJsonArray()) {
                String fingerprint = root.getAsString();
                trusts.add(fingerprint.substring(0, Math.min(SHORT, fingerprint.length())));
            }
            table.row(node.getKey(), trusts.isEmpty() ? "has not said" : String.join(", ", trusts));
        }
        return table;
    }

    private static Table revoked(JsonObject status) {
        Table table = new Table("REVOKED", "IDENTITY", "NODE", "SINCE", "ENDS");
        for (JsonObject leaf : Json.objects(status, "revoked")) {
            table.row(
                    Json.text(leaf, "serial"),
                    Json.text(leaf, "identity"),
                    Json.text(leaf, "node"),
                    Json.text(leaf, "at"),
                    Json.text(leaf, "end"));
        }
        return table;
    }

    private static Table forecast(JsonObject status) {
        Table table = new Table("FORECAST", "WHAT HAPPENS");
        for (JsonObject one : Json.objects(status, "forecast")) {
            table.row(Json.text(one, "at"), Json.text(one, "what"));
        }
        return table;
    }

    /** No longer to be believed. */
    @Command(
            name = "revoke",
            description =
                    "Revokes certificates, by the identity that they are for or by number. Nodes are told at once;"
                            + " who holds the identity may get a new one.")
    static final class Revoke extends BaseCommand {
        @Mixin
        private final MeshPlace place = new MeshPlace();

        @Parameters(
                paramLabel = "IDENTITY|SERIAL",
                description = "spiffe://TRUST-DOMAIN/ns/NAMESPACE/sa/ACCOUNT, or what follows the trust domain;"
                        + " or a number, hexadecimal.")
        @SuppressWarnings("NullAway.Init") // set by picocli: the parameter is required
        private String which;

        @Override
        public Integer call() {
            JsonElement revoked;
            try (MeshClient control = MeshClient.control(place)) {
                revoked = control.call("certificate-revoke", Json.of("which", which));
            }
            for (JsonObject leaf : Json.objects(revoked)) {
                out().println("revoked " + Json.text(leaf, "serial") + " of " + Json.text(leaf, "identity"));
            }
            return 0;
        }
    }

    /** A new root. */
    @Command(
            name = "rotate",
            description = "Begins to replace the authority's root by a new one. The rest happens by itself: see"
                    + " certificates.")
    static final class Rotate extends BaseCommand {
        @Mixin
        private final MeshPlace place = new MeshPlace();

        @Override
        public Integer call() {
            JsonObject state;
            try (MeshClient control = MeshClient.control(place)) {
                state = control.call("certificate-rotate", new JsonObject()).getAsJsonObject();
            }
            out().println(phase(state));
            return 0;
        }
    }
}
