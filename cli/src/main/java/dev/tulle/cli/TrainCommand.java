package dev.tulle.cli;

import dev.tulle.cli.command.BaseCommand;
import dev.tulle.cli.role.Training;
import dev.tulle.common.LocalApiServer;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

/**
 * Runs the code of a role once, without the kernel and without a mesh, while the JVM records what start-up needs for its
 * archive. Called by the launcher's build.
 */
@Command(name = "train", hidden = true, description = "Runs a role's code once for its start-up archive.")
final class TrainCommand extends BaseCommand {
    @Parameters(paramLabel = "ROLE", description = "cli, node or proxy.")
    @SuppressWarnings("NullAway.Init") // set by picocli: the parameter is required
    private String role;

    @Override
    public Integer call() throws IOException {
        Path work = Files.createTempDirectory("tulle-training");
        try {
            switch (role) {
                case "cli" -> commands(work);
                case "node" -> Training.node(work);
                case "proxy" -> Training.proxy(work);
                default -> throw new IOException("no training for '" + role + "'; expected cli, node or proxy");
            }
            return 0;
        } finally {
            delete(work);
        }
    }

    /** Every kind of command against roles that answer the same to everything. */
    private static void commands(Path work) throws IOException {
        String answer =
                "{\"ok\":true,\"result\":{\"services\":[{\"namespace\":\"default\",\"hostname\":\"a\",\"ports\":[]}],"
                        + "\"resources\":[],\"address\":\"240.240.0.1\",\"port\":80,\"steps\":[],\"cgroup\":\"/\",\"env\":{\"A\":\"1\"}}}";
        PrintStream terminal = System.out;
        try (LocalApiServer control =
                        LocalApiServer.start(work.resolve("control.sock"), (_, reply) -> reply.send(answer));
                LocalApiServer agent =
                        LocalApiServer.start(work.resolve("agent.sock"), (_, reply) -> reply.send(answer));
                PrintStream nowhere = new PrintStream(OutputStream.nullOutputStream(), false, StandardCharsets.UTF_8)) {
            System.setOut(nowhere);
            Path manifest = Files.writeString(
                    work.resolve("training.yaml"),
                    "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {ports: [{port: 80}]}\n");
            String run = work.toString();
            for (List<String> command : List.of(
                    List.of("version"),
                    List.of("services", "--run-dir", run),
                    List.of("services", "--run-dir", run, "-o", "json"),
                    List.of("workloads", "--run-dir", run, "-o", "yaml"),
                    List.of("run", "--run-dir", run, "--shell", "--name", "a", "--port", "http:80", "--label", "a=b"),
                    List.of("explain", "--run-dir", run, "--from", "a", "--to", "http://a/"),
                    List.of("apply", "--run-dir", run, "-f", manifest.toString()),
                    List.of("validate", manifest.toString()),
                    List.of("get", "--run-dir", run, "service"),
                    List.of("status", "--run-dir", run))) {
                Main.run(command.toArray(String[]::new));
            }
        } finally {
            System.setOut(terminal);
        }
    }

    private static void delete(Path directory) throws IOException {
        try (Stream<Path> files = Files.walk(directory)) {
            for (Path file : files.sorted(java.util.Comparator.reverseOrder()).toList()) {
                Files.deleteIfExists(file);
            }
        }
    }
}
