package dev.tulle.cli.demo;

import java.io.File;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The six programs of Bookinfo, each started by {@code tulle run} as a user would type it. One thread. */
final class Bookinfo {
    /**
     * One program.
     *
     * @param service its service
     * @param version its version
     * @param language what it is written in
     */
    record Program(String service, String version, String language) {
        String name() {
            return service + "-" + version;
        }
    }

    static final List<Program> PROGRAMS = List.of(
            new Program("details", "v1", "Java"),
            new Program("ratings", "v1", "Python"),
            new Program("reviews", "v1", "Java"),
            new Program("reviews", "v2", "Java"),
            new Program("reviews", "v3", "Java"),
            new Program("productpage", "v1", "Python"));

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
    Bookinfo(Path home, Path logs) {
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
        for (Program program : PROGRAMS) {
            if (ownPorts) {
                port++;
            }
            List<String> command =
                    new ArrayList<>(List.of("setsid", home.resolve("tulle").toString(), "run"));
            command.addAll(mesh);
            command.addAll(List.of(
                    "--name", program.name(),
                    "--service", program.service(),
                    "--label", "app=" + program.service(),
                    "--label", "version=" + program.version(),
                    "--port", "http:" + port,
                    "--readiness", "http:" + port + "/health"));
            if (program.service().equals("productpage")) {
                command.addAll(List.of("--publish", "127.0.0.1:" + publish + ":" + port));
            }
            command.addAll(List.of(
                    "--", home.resolve("samples/bookinfo/run").toString(), program.service(), program.version()));
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
        running.values().forEach(Bookinfo::terminate);
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
