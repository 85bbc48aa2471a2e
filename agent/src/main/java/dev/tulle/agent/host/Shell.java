package dev.tulle.agent.host;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

/**
 * Runs the host's commands, never through a shell, each bounded in time and output. Blocks the calling thread; any
 * thread.
 */
public final class Shell {
    /** How long a command may take before it is ended. */
    public static final Duration TIMEOUT = Duration.ofSeconds(10);

    /** The most output that is kept, in bytes, of each stream. */
    private static final int OUTPUT_MAX = 1 << 20;

    private Shell() {}

    /**
     * What a command did.
     *
     * @param command the command and its arguments
     * @param status the exit status
     * @param output standard output
     * @param errors standard error
     */
    public record Outcome(List<String> command, int status, String output, String errors) {
        public Outcome {
            command = List.copyOf(command);
        }

        /** True for exit status 0. */
        public boolean ok() {
            return status == 0;
        }

        /** One line that says what failed. */
        public String trouble() {
            String first = errors.strip().lines().findFirst().orElse("");
            return String.join(" ", command) + ": exit status " + status + (first.isEmpty() ? "" : ": " + first);
        }

        /**
         * This outcome, if the command succeeded.
         *
         * @throws IOException with one line that says what failed
         */
        public Outcome orThrow() throws IOException {
            if (!ok()) {
                throw new IOException(trouble());
            }
            return this;
        }
    }

    /**
     * Runs a command.
     *
     * @throws IOException when it cannot be started or does not end in time
     */
    public static Outcome run(String... command) throws IOException {
        return run(List.of(command), "", TIMEOUT);
    }

    /**
     * Runs a command with standard input and an own time limit.
     *
     * @throws IOException when it cannot be started or does not end in time
     */
    public static Outcome run(List<String> command, String input, Duration timeout) throws IOException {
        Process process = new ProcessBuilder(command).start();
        try {
            CompletableFuture<String> output = read(process.getInputStream());
            CompletableFuture<String> errors = read(process.getErrorStream());
            try (OutputStream in = process.getOutputStream()) {
                in.write(input.getBytes(StandardCharsets.UTF_8));
            } catch (IOException e) {
                // The command ended without reading its input; its exit status says why.
            }
            if (!process.waitFor(timeout.toMillis(), TimeUnit.MILLISECONDS)) {
                throw new IOException(String.join(" ", command) + ": did not end within " + timeout.toMillis() + " ms");
            }
            return new Outcome(command, process.exitValue(), output.join(), errors.join());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException(String.join(" ", command) + ": interrupted", e);
        } finally {
            if (process.isAlive()) {
                process.descendants().forEach(ProcessHandle::destroyForcibly);
                process.destroyForcibly();
            }
        }
    }

    private static CompletableFuture<String> read(InputStream stream) {
        CompletableFuture<String> text = new CompletableFuture<>();
        Thread.ofVirtual().start(() -> {
            try (stream) {
                byte[] kept = stream.readNBytes(OUTPUT_MAX);
                stream.skip(Long.MAX_VALUE);
                text.complete(new String(kept, StandardCharsets.UTF_8));
            } catch (IOException | UncheckedIOException e) {
                text.complete("");
            }
        });
        return text;
    }
}
