package dev.tulle.agent;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import dev.tulle.agent.host.Cgroups;
import dev.tulle.agent.host.Shell;
import dev.tulle.agent.tier.Tier;
import dev.tulle.common.LocalApiClient;
import dev.tulle.common.LocalUsers;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;

/** A private mesh on this host for tests: own names, ranges, ports and directories; starts workloads as the launcher does. */
final class MeshHost implements AutoCloseable {
    static final int OUTBOUND = 24001;
    /** The port behind the first one that a workload declares. */
    private static final int BEHIND = OUTBOUND + 99;

    static final int DNS = 24053;
    static final int EXPLICIT = 24080;
    static final Duration DRAIN = Duration.ofSeconds(3);

    final AgentOptions options;
    final FakeControl control = new FakeControl("100.80.3.0/24");
    final Cgroups cgroups;
    private final List<Process> processes = new ArrayList<>();

    MeshHost(Path dir, Optional<Tier> tier) throws IOException {
        this(dir, tier, Path.of("../bpf/build/tulle.bpf.o"));
    }

    MeshHost(Path dir, Optional<Tier> tier, Path kernelObject) throws IOException {
        this.cgroups = Cgroups.find();
        this.options = AgentOptions.builder()
                .meshName("tulle-agenttest")
                .node("testnode")
                .runDirectory(dir.resolve("run"))
                .stateDirectory(dir.resolve("state"))
                .pinDirectory(Path.of("/sys/fs/bpf/tulle-agenttest"))
                .bpfObject(kernelObject)
                .range("100.80.0.0/16")
                .serviceRange("240.242.0.0/16")
                .range6("fd74:756c:6c80::", "fd74:756c:6c81::")
                .outboundPort(OUTBOUND)
                .dnsPort(DNS)
                .explicitPort(EXPLICIT)
                .metricsPort(24020)
                .resolver(Files.writeString(dir.resolve("resolv.conf"), "nameserver 127.0.0.1\n"), 24054)
                .users(LocalUsers.ROOT)
                .tier(tier)
                .kernelHttp(true)
                .drainTime(DRAIN)
                .build();
    }

    NodeAgent start() throws IOException {
        return NodeAgent.start(options, control);
    }

    JsonObject ask(Path socket, String method, JsonObject params) throws IOException {
        try (LocalApiClient client = LocalApiClient.connect(socket)) {
            JsonObject request = new JsonObject();
            request.addProperty("method", method);
            request.add("params", params);
            return JsonParser.parseString(client.call(request.toString())).getAsJsonObject();
        }
    }

    JsonElement call(String method, String params) throws IOException {
        JsonObject answer = ask(
                options.agentSocket(),
                method,
                JsonParser.parseString(params.replace('\'', '"')).getAsJsonObject());
        if (!answer.get("ok").getAsBoolean()) {
            throw new IOException(answer.get("error").toString());
        }
        return answer.get("result");
    }

    JsonObject object(String method, String params) throws IOException {
        return call(method, params).getAsJsonObject();
    }

    /** A counter of the status; 0 for one that never counted. */
    long counter(String name) throws IOException {
        JsonObject counters = object("status", "{}").getAsJsonObject("counters");
        return counters.has(name) ? counters.get(name).getAsLong() : 0;
    }

    /** What the agent says of a workload. */
    JsonObject workload(String name) throws IOException {
        for (JsonElement one : call("workloads", "{}").getAsJsonArray()) {
            if (one.getAsJsonObject().get("name").getAsString().equals(name)) {
                return one.getAsJsonObject();
            }
        }
        throw new IOException("no workload " + name);
    }

    /**
     * Enrols and starts a command, all of whose connections may be spliced unless the request says something else; its
     * output goes to a file.
     */
    Started run(String params, String... command) throws IOException {
        JsonObject lease = object("run", params.contains("splice") ? params : spliced(params));
        List<String> full = new ArrayList<>(List.of(
                "/bin/sh",
                "-c",
                "echo $$ > \"$0/cgroup.procs\" && exec \"$@\"",
                lease.get("cgroup").getAsString()));
        full.addAll(List.of(command));
        ProcessBuilder builder = new ProcessBuilder(full).redirectErrorStream(true);
        for (Map.Entry<String, JsonElement> one : lease.getAsJsonObject("env").entrySet()) {
            builder.environment().put(one.getKey(), one.getValue().getAsString());
        }
        Path output = Files.createTempFile(options.runDirectory(), "out", ".txt");
        builder.redirectOutput(output.toFile());
        Process process = builder.start();
        processes.add(process);
        return new Started(process, output, lease.get("address").getAsString(), lease);
    }

    private static String spliced(String params) {
        JsonObject request = JsonParser.parseString(params.replace('\'', '"')).getAsJsonObject();
        request.addProperty("splice", "on");
        return request.toString();
    }

    /** A process outside every workload, in the root control group. */
    Process outside(Path output, String... command) throws IOException {
        List<String> full = new ArrayList<>(List.of(
                "/bin/sh",
                "-c",
                "echo $$ > \"$0/cgroup.procs\" && exec \"$@\"",
                cgroups.mount().toString()));
        full.addAll(List.of(command));
        Process process = new ProcessBuilder(full)
                .redirectErrorStream(true)
                .redirectOutput(output.toFile())
                .start();
        processes.add(process);
        long deadline = System.nanoTime() + Duration.ofSeconds(5).toNanos();
        while (process.isAlive() && inAgentGroup(process)) {
            if (System.nanoTime() > deadline) {
                throw new IOException("process " + process.pid() + " stays in the agent's control group");
            }
            Thread.onSpinWait();
        }
        return process;
    }

    private boolean inAgentGroup(Process process) throws IOException {
        try {
            return cgroups.groupOf(process.pid()).startsWith(options.meshGroup() + "/agent");
        } catch (IOException e) {
            // A short command may have ended between the two looks.
            if (process.toHandle().isAlive()) {
                throw e;
            }
            return false;
        }
    }

    /** A started workload. */
    record Started(Process process, Path output, String address, JsonObject lease) {
        /** Waits for its end and gives its output. */
        String result() throws IOException, InterruptedException {
            if (!process.waitFor(20, TimeUnit.SECONDS)) {
                throw new IOException("does not end: " + Files.readString(output));
            }
            return Files.readString(output).strip();
        }
    }

    /** Tries until a condition holds. */
    static void eventually(String what, Condition condition) throws Exception {
        long deadline = System.nanoTime() + Duration.ofSeconds(15).toNanos();
        while (!condition.holds()) {
            if (System.nanoTime() > deadline) {
                throw new AssertionError("does not come true: " + what);
            }
            Thread.sleep(50);
        }
    }

    /** Waits for a listening socket: at the port itself, or at the first one behind. */
    static void listening(String address, int port) throws Exception {
        Pattern wanted =
                Pattern.compile("(\\[::ffff:)?" + Pattern.quote(address) + "]?:(" + port + "|" + BEHIND + ") ");
        eventually(
                address + " listens on " + port,
                () -> wanted.matcher(Shell.run("ss", "-tlnH").output()).find());
    }

    /** Something that becomes true. */
    @FunctionalInterface
    interface Condition {
        boolean holds() throws Exception;
    }

    /** What of this mesh is in the kernel and the host. */
    List<String> traces() throws IOException {
        List<String> found = new ArrayList<>();
        for (String line : Shell.run("ip", "route", "show", "table", "all", "dev", "lo")
                .output()
                .split("\n")) {
            if (line.contains("100.80.") || line.contains("240.242.")) {
                found.add("route " + line);
            }
        }
        for (String line : Shell.run("ip", "addr", "show", "dev", "lo").output().split("\n")) {
            if (line.contains("100.80.") || line.contains("fd74:756c:6c80")) {
                found.add("address " + line);
            }
        }
        if (Files.exists(options.pinDirectory())) {
            found.add("pins");
        }
        if (cgroups.exists(options.meshGroup())) {
            found.add("control group");
        }
        if (Shell.run("nft", "list", "tables").output().contains(options.meshName())) {
            found.add("nft table");
        }
        return found;
    }

    @Override
    public void close() throws IOException {
        for (Process process : processes) {
            process.descendants().forEach(ProcessHandle::destroyForcibly);
            process.destroyForcibly();
        }
        for (Process process : processes) {
            try {
                process.waitFor();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }
        List<String> left = NodeAgent.detachAll(options);
        if (!left.isEmpty()) {
            throw new IOException("left behind: " + left);
        }
    }
}
