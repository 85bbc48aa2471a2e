package dev.tulle.cli.command;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import dev.tulle.cli.client.CommandFailure;
import dev.tulle.cli.client.Json;
import dev.tulle.cli.client.MeshClient;
import dev.tulle.cli.client.MeshPlace;
import dev.tulle.cli.client.PidFile;
import dev.tulle.cli.client.Problems;
import dev.tulle.cli.client.RunEvents;
import dev.tulle.cli.output.Output;
import dev.tulle.cli.output.Table;
import java.time.Duration;
import java.time.InstantSource;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** How the mesh is: roles, tier per hook with its reason, clients' state, problems, and what happened lately. */
@Command(
        name = "status",
        description = "Shows how the mesh is. Status 1 when a role is missing or a client refuses its configuration.")
public final class StatusCommand extends BaseCommand {
    private static final int EVENTS_SHOWN = 12;

    /** How long each role may take. */
    private static final Duration ANSWER = Duration.ofSeconds(4);

    /** How long the proxy's socket may be missing while one process takes over from another. */
    private static final Duration TAKEOVER = Duration.ofSeconds(1);

    private static final Duration LOOK = Duration.ofMillis(50);

    @Mixin
    private final MeshPlace place = new MeshPlace();

    @Mixin
    private final Output output = new Output();

    @Option(
            names = "--paths",
            description = "Shows which way each service port goes, what keeps it off a faster one, and how many"
                    + " requests went each way.")
    private boolean paths;

    /** Makes the command. */
    public StatusCommand() {}

    @Override
    public Integer call() {
        if (paths) {
            try (MeshClient agent = MeshClient.agent(place, ANSWER)) {
                JsonObject report = agent.object("paths", new JsonObject());
                output.print(out(), report, () -> PathsTable.text(report));
                return 0;
            }
        }
        List<String> troubles = new ArrayList<>();
        JsonObject status = new JsonObject();
        // All at once: each may be stopped, and nobody wants to wait for one after the other.
        Asked askedProxy = new Asked(() -> proxyStatus("proxy", () -> MeshClient.proxy(place, ANSWER)));
        Asked askedAgent = new Asked(() -> role(MeshClient.agent(place, ANSWER)));
        Asked askedControl = new Asked(() -> role(MeshClient.control(place, ANSWER)));
        JsonObject control = askedControl.answer("control", status, troubles);
        JsonObject agent = askedAgent.answer("agent", status, troubles);
        if (control == null && agent == null) {
            throw new CommandFailure(CommandFailure.UNREACHABLE, "no mesh answers", troubles);
        }
        askedProxy.answer("proxy", status, troubles);
        boolean servesEdge = control != null && Json.bool(control, "servesEdge");
        if (servesEdge || PidFile.living(place.runDirectory(), "gateway").isPresent()) {
            new Asked(() -> proxyStatus("gateway", () -> MeshClient.gateway(place, ANSWER)))
                    .answer("gateway", status, troubles);
        }
        if (control != null) {
            troubles.addAll(ApplyCommand.texts(control.get("notEnforced")));
        }
        JsonArray events = new JsonArray();
        for (RunEvents.Event event : new RunEvents(place.runDirectory(), InstantSource.system()).latest(EVENTS_SHOWN)) {
            events.add(Json.of(
                    "time",
                    event.time().truncatedTo(ChronoUnit.SECONDS).toString(),
                    "role",
                    event.role(),
                    "what",
                    event.what()));
        }
        status.add("events", events);
        status.add("troubles", Json.texts(troubles));
        status.addProperty("healthy", troubles.isEmpty());
        output.print(out(), status, () -> text(status));
        return troubles.isEmpty() ? 0 : CommandFailure.NO;
    }

    private static JsonObject role(MeshClient role) {
        try (role) {
            return role.object("status", new JsonObject());
        }
    }

    /** What the proxy, or the gateway, says of itself. One that has just taken over serves its socket some milliseconds later. */
    private JsonObject proxyStatus(String role, Supplier<MeshClient> connect) {
        OptionalLong pid = PidFile.living(place.runDirectory(), role);
        JsonObject proxy = Json.of("running", pid.isPresent());
        if (pid.isEmpty()) {
            proxy.add("troubles", Json.texts(List.of("it does not run")));
            return proxy;
        }
        long end = System.nanoTime() + TAKEOVER.toNanos();
        JsonArray troubles = new JsonArray();
        while (true) {
            try {
                JsonObject told = role(connect.get());
                troubles.addAll(told.getAsJsonArray("troubles"));
                proxy.add("refusals", told.get("refusals"));
                break;
            } catch (CommandFailure failure) {
                if (System.nanoTime() > end) {
                    troubles.add(failure.getMessage());
                    break;
                }
                LockSupport.parkNanos(LOOK.toNanos());
            }
        }
        proxy.addProperty("pid", pid.getAsLong());
        proxy.add("troubles", troubles);
        return proxy;
    }

    /** A question that is on its way. */
    private static final class Asked {
        private final FutureTask<JsonObject> task;

        Asked(Callable<JsonObject> question) {
            task = new FutureTask<>(question);
            Thread.ofVirtual().name("status").start(task);
        }

        /** Waits for the answer and notes it, and what is wrong; null when there is none. */
        @Nullable
        JsonObject answer(String role, JsonObject status, List<String> troubles) {
            try {
                JsonObject answer = task.get();
                status.add(role, answer);
                if (answer.has("troubles")) {
                    answer.getAsJsonArray("troubles")
                            .forEach(trouble -> troubles.add(role + ": " + Json.plain(trouble)));
                }
                return answer;
            } catch (ExecutionException e) {
                troubles.add(
                        String.valueOf(e.getCause() == null ? e : e.getCause().getMessage()));
                return null;
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                troubles.add(role + ": interrupted");
                return null;
            }
        }
    }

    private static String text(JsonObject status) {
        StringBuilder text = new StringBuilder();
        Table roles = new Table("ROLE", "STATE", "DETAIL");
        for (String role : List.of("control", "agent", "proxy")) {
            JsonObject state = Json.object(status, role);
            boolean running = role.equals("proxy") ? Json.bool(state, "running") : status.has(role);
            roles.row(role, running ? "running" : "missing", detail(role, state));
        }
        if (status.has("gateway")) {
            JsonObject state = Json.object(status, "gateway");
            roles.row("gateway", Json.bool(state, "running") ? "running" : "missing", detail("gateway", state));
        }
        text.append(roles.text(Output.colour()));
        tiers(Json.object(status, "agent"), text);
        takeover(Json.object(status, "agent"), text);
        overShare(Json.object(status, "agent"), text);
        clients(Json.object(status, "control"), text);
        problems(Json.object(status, "control"), text);
        refusals(status, text);
        events(status, text);
        List<String> troubles = new ArrayList<>();
        status.getAsJsonArray("troubles").forEach(trouble -> troubles.add(Json.plain(trouble)));
        text.append('\n').append(troubles.isEmpty() ? "healthy" : "not healthy: " + String.join("; ", troubles));
        long refused = Json.objects(Json.object(status, "control"), "problems").stream()
                .filter(problem -> Json.text(problem, "severity").equalsIgnoreCase("error"))
                .count();
        if (refused > 0) {
            text.append(troubles.isEmpty() ? ", but " : "; ")
                    .append(refused)
                    .append(refused == 1 ? " configuration error" : " configuration errors")
                    .append(" (above): what is refused is not in force");
        }
        return text.append('\n').toString();
    }

    /** What the roles' sockets refused, and whom. */
    private static void refusals(JsonObject status, StringBuilder text) {
        Table table = new Table("REFUSED AT", "WHO", "TIMES", "WHY");
        boolean any = false;
        for (String role : List.of("control", "agent", "proxy", "gateway")) {
            for (JsonObject refusal : Json.objects(Json.object(status, role), "refusals")) {
                any = true;
                table.row(
                        Json.text(refusal, "where"),
                        Json.text(refusal, "who"),
                        Json.text(refusal, "count"),
                        Json.text(refusal, "why"));
            }
        }
        if (any) {
            text.append('\n').append(table.text(Output.colour()));
        }
    }

    private static String detail(String role, JsonObject state) {
        return switch (role) {
            case "control" ->
                Stream.of("services", "workloads", "resources")
                        .filter(state::has)
                        .map(name -> Json.text(state, name) + " " + name)
                        .collect(Collectors.joining(", "));
            case "agent" ->
                "tier " + Json.text(state, "tier") + ", prefix " + Json.text(state, "prefix") + ", kernel HTTP "
                        + kernelHttp(Json.object(state, "kernelHttp"));
            default -> state.has("pid") ? "pid " + Json.text(state, "pid") : "";
        };
    }

    private static String kernelHttp(JsonObject http) {
        return Json.bool(http, "on") ? "on" : "off (" + Json.text(http, "reason") + ")";
    }

    private static void tiers(JsonObject agent, StringBuilder text) {
        List<JsonObject> hooks = Json.objects(agent, "hooks");
        if (hooks.isEmpty()) {
            return;
        }
        Table table = new Table("HOOK", "TIER", "STATE", "WHY");
        for (JsonObject hook : hooks) {
            table.row(
                    Json.text(hook, "name"),
                    Json.text(hook, "tier"),
                    Json.text(hook, "state"),
                    Json.text(hook, "reason"));
        }
        text.append('\n').append(table.text(Output.colour()));
    }

    /** What became of an earlier agent's maps that have another layout now. */
    private static void takeover(JsonObject agent, StringBuilder text) {
        if (agent.has("takeover") && !agent.getAsJsonArray("takeover").isEmpty()) {
            text.append("\ntaken over from the agent before:\n");
            agent.getAsJsonArray("takeover")
                    .forEach(note -> text.append("  ").append(Json.plain(note)).append('\n'));
        }
    }

    /** Who has asked more of what all workloads share than is his. */
    private static void overShare(JsonObject role, StringBuilder text) {
        List<JsonObject> over = Json.objects(role, "overShare");
        if (!over.isEmpty()) {
            text.append("\nover their share (the others are not held up by it):\n");
            over.forEach(one -> text.append("  ")
                    .append(Json.text(one, "resource"))
                    .append(": ")
                    .append(Json.text(one, "workload"))
                    .append(": ")
                    .append(Json.text(one, "text"))
                    .append('\n'));
        }
    }

    private static void clients(JsonObject control, StringBuilder text) {
        List<JsonObject> clients = Json.objects(control, "clients");
        if (clients.isEmpty()) {
            return;
        }
        Table table = new Table("CLIENT", "TYPE", "SUBSCRIBED", "ACKNOWLEDGED", "REFUSED");
        for (JsonObject client : clients) {
            table.row(
                    Json.text(client, "node"),
                    Json.text(client, "type"),
                    Json.text(client, "subscribed"),
                    Json.text(client, "acked"),
                    Json.text(client, "nacked"));
        }
        text.append('\n').append(table.text(Output.colour()));
    }

    private static void problems(JsonObject control, StringBuilder text) {
        JsonElement problems = control.get("problems");
        if (problems instanceof JsonArray array && !array.isEmpty()) {
            text.append("\n"
                    + "configuration problems (of what is refused the last good version stays in force;"
                    + " docs/warnings.md):\n");
            Json.objects(array)
                    .forEach(problem ->
                            text.append("  ").append(Problems.line(problem)).append('\n'));
        }
    }

    private static void events(JsonObject status, StringBuilder text) {
        List<JsonObject> events = Json.objects(status, "events");
        if (events.isEmpty()) {
            return;
        }
        Table table = new Table("TIME", "ROLE", "WHAT HAPPENED");
        for (JsonObject event : events) {
            table.row(Json.text(event, "time"), Json.text(event, "role"), Json.text(event, "what"));
        }
        text.append('\n').append(table.text(Output.colour()));
    }
}
