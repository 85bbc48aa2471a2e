package dev.tulle.cli.command;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import dev.tulle.cli.client.CommandFailure;
import dev.tulle.cli.client.Json;
import dev.tulle.cli.client.MeshClient;
import dev.tulle.cli.client.MeshPlace;
import dev.tulle.cli.output.Output;
import dev.tulle.cli.output.Table;
import java.time.Duration;
import java.util.Locale;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** What this host's kernel has let through and refused lately, and why. */
@Command(
        name = "flows",
        description = "Shows what passed and what was refused on this host lately, and why: connections, binds and"
                + " datagrams as the kernel saw them, and samples of the requests that it forwarded.")
public final class FlowsCommand extends BaseCommand {
    private static final Duration ANSWER = Duration.ofSeconds(4);
    private static final Duration POLL = Duration.ofMillis(500);

    @Mixin
    private final MeshPlace place = new MeshPlace();

    @Option(
            names = {"-f", "--follow"},
            description = "Goes on with what happens from now.")
    private boolean follow;

    /** What the agent keeps, of each kind. */
    private static final int KEPT = 1024;

    @Option(names = "--last", paramLabel = "N", description = "The newest N of those kept (" + KEPT + " of each kind).")
    private int last = 100;

    @Option(names = "--refused", description = "Only what was refused.")
    private boolean refused;

    @Option(names = "--workload", paramLabel = "W", description = "Only of this caller, or to it.")
    private String workload = "";

    @Option(names = "--reason", paramLabel = "R", description = "Only with this reason, by name or part of its text.")
    private String reason = "";

    @Mixin
    private final Output output = new Output();

    /** Makes the command. */
    public FlowsCommand() {}

    @Override
    public Integer call() throws InterruptedException {
        if (last < 1 || last > KEPT) {
            throw new CommandFailure(CommandFailure.USAGE, "--last: found " + last + ", expected 1 to " + KEPT);
        }
        long after = 0;
        do {
            JsonArray flows;
            try (MeshClient agent = MeshClient.agent(place, ANSWER)) {
                JsonArray all = agent.call("flows", Json.of("last", last, "after", after))
                        .getAsJsonArray();
                after = newest(all, after);
                flows = wanted(all);
            }
            if (!follow || !flows.isEmpty()) {
                print(flows);
            }
            if (follow) {
                Thread.sleep(POLL);
            }
        } while (follow);
        return 0;
    }

    private static long newest(JsonArray flows, long after) {
        return Json.objects(flows).stream()
                .mapToLong(flow -> Json.number(flow, "number"))
                .reduce(after, Math::max);
    }

    private JsonArray wanted(JsonArray flows) {
        JsonArray kept = new JsonArray();
        for (JsonObject flow : Json.objects(flows)) {
            boolean who = workload.isEmpty() || isOf(flow, "workload") || isOf(flow, "to");
            String why = Json.text(flow, "reason") + " " + Json.text(flow, "text");
            if (who
                    && (!refused || Json.text(flow, "verdict").equals("refused"))
                    && why.toLowerCase(Locale.ROOT).contains(reason.toLowerCase(Locale.ROOT))) {
                kept.add(flow);
            }
        }
        return kept;
    }

    private boolean isOf(JsonObject flow, String member) {
        String name = Json.text(flow, member);
        return name.equals(workload) || name.endsWith("/" + workload);
    }

    private void print(JsonArray flows) {
        if (follow && !output.isTable()) {
            flows.forEach(flow -> out().println(flow));
            out().flush();
            return;
        }
        output.print(out(), flows, () -> text(flows));
    }

    private static String text(JsonArray flows) {
        Table table = new Table("TIME", "VERDICT", "HOOK", "WHO", "FROM", "TO", "WHY");
        for (JsonObject flow : Json.objects(flows)) {
            String to = Json.text(flow, "destination");
            table.row(
                    Json.text(flow, "time"),
                    Json.text(flow, "verdict"),
                    Json.text(flow, "hook"),
                    who(flow),
                    Json.text(flow, "source"),
                    flow.has("to") ? to + " (" + Json.text(flow, "to") + ")" : to,
                    flow.has("method") ? request(flow) : Json.text(flow, "reason") + ": " + Json.text(flow, "text"));
        }
        return table.isEmpty() ? "nothing was reported yet\n" : table.text(Output.colour());
    }

    private static String who(JsonObject flow) {
        String name = Json.text(flow, "workload");
        String command = Json.text(flow, "command");
        return !name.isEmpty() ? name : command.isEmpty() ? "-" : command + " (" + Json.text(flow, "pid") + ")";
    }

    private static String request(JsonObject flow) {
        return Json.text(flow, "method") + " " + Json.text(flow, "authority") + Json.text(flow, "target") + " "
                + Json.text(flow, "code") + ", a sample";
    }
}
