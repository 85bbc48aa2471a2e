package dev.tulle.cli.demo;

import java.io.File;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The programs of the demo, each started by {@code tulle run} as a user would type it. One thread. */
final class Programs {
    /**
     * One program.
     *
     * @param sample the folder of samples that it is in
     * @param service its service
     * @param version its version
     */
    record Program(String sample, String service, String version) {
        String name() {
            return service + "-" + version;
        }

        private boolean grpc() {
            return sample.equals(STOCK);
        }

        List<String> command(Path home) {
            String run = home.resolve("samples").resolve(sample).resolve("run").toString();
            return grpc() ? List.of(run) : List.of(run, service, version);
        }

        List<String> port(int number) {
            return grpc()
                    ? List.of("--port", "grpc:" + number, "--readiness", "grpc:" + number)
                    : List.of("--port", "http:" + number, "--readiness", "http:" + number + "/health");
        }
    }

    private static final String BOOKINFO = "bookinfo";
    private static final String STOCK = "stock";

    static final List<Program> ALL = List.of(
            new Program(BOOKINFO, "details", "v1"),
            new Program(BOOKINFO, "ratings", "v1"),
            new Program(BOOKINFO, "reviews", "v1"),
            new Program(BOOKINFO, "reviews", "v2"),
            new Program(BOOKINFO, "reviews", "v3"),
            new Program(BOOKINFO, "productpage", "v1"),
            new Program(STOCK, "stock", "v1"));

    /** The port that every program listens on where each has an address of its own. */
    static final int PORT = 9080;

    private static final Duration STOP = Duration.ofSeconds(5);

    private final Path home;
    private final Path logs;
    private final Map<Program, Process> running = new LinkedHashMap<>();

    /**
     * Not started yet.
     *
     * @param home the folder that holds the launcher and the samples
     * @param logs where each program's output goes
     */
    Programs(Path home, Path logs) {
        this.home = home;
        this.logs = logs;
    }

    /**
     * Starts all programs at once.
     *
     * @param mesh the options that name the mesh
     * @param publish the host port of the product page
     * @param ownPorts true where programs share the host's address, so that each needs a port of its own
     * @throws IOException when a program cannot be started
     */
    void start(List<String> mesh, int publish, boolean ownPorts) throws IOException {
        int port = PORT;
        for (Program program : ALL) {
            if (ownPorts) {
                port++;
            }
            List<String> command =
                    new ArrayList<>(List.of("setsid", home.resolve("tulle").toString(), "run"));
            command.addAll(mesh);
            command.addAll(List.of(
                    "--name",
                    program.name(),
                    "--service",
                    program.service(),
                    "--label",
                    "app=" + program.service(),
                    "--label",
                    "version=" + program.version()));
            command.addAll(program.port(port));
            if (program.service().equals("productpage")) {
                command.addAll(List.of("--publish", "127.0.0.1:" + publish + ":" + port));
            }
            command.add("--");
            command.addAll(program.command(home));
            ProcessBuilder builder = new ProcessBuilder(command)
                    .redirectErrorStream(true)
                    .redirectInput(new File("/dev/null"))
                    .redirectOutput(logs.resolve(program.name() + ".log").toFile());
            builder.environment().put("PORT", Integer.toString(port));
            running.put(program, builder.start());
        }
    }

    /** The names of programs that have ended. */
    List<String> ended() {
        return running.entrySet().stream()
                .filter(entry -> !entry.getValue().isAlive())
                .map(entry -> entry.getKey().name())
                .toList();
    }

    /** Ends the programs, kindly first. */
    void stop() throws InterruptedException {
        running.values().forEach(Programs::terminate);
        long end = System.nanoTime() + STOP.toNanos();
        for (Process process : running.values()) {
            long left = Math.max(1, end - System.nanoTime());
            if (!process.waitFor(Duration.ofNanos(left))) {
                process.descendants().forEach(ProcessHandle::destroyForcibly);
                process.destroyForcibly().waitFor();
            }
        }
        running.clear();
    }

    private static void terminate(Process process) {
        process.descendants().forEach(ProcessHandle::destroy);
        process.destroy();
    }
}
