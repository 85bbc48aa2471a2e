package dev.tulle.cli.demo.hosts;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;

/** Short commands. Blocks. */
final class Commands {
    private static final Duration PATIENCE = Duration.ofSeconds(60);

    private Commands() {}

    /**
     * Runs one and gives what it printed.
     *
     * @throws IOException with the command and what it said, when its status is not 0
     */
    static String run(List<String> command) throws IOException, InterruptedException {
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        process.getOutputStream().close();
        String printed = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        if (!process.waitFor(PATIENCE)) {
            process.destroyForcibly();
            throw new IOException(String.join(" ", command) + ": not done after " + PATIENCE.toSeconds() + " s");
        }
        if (process.exitValue() != 0) {
            throw new IOException(String.join(" ", command) + ": " + printed.strip());
        }
        return printed;
    }
}
