package dev.tulle.testkit;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

/**
 * Runs a program to its end and keeps what it printed. Bounded in time: a program that hangs is killed with its
 * children, and the test fails with what it had printed.
 */
public final class Command {
    private final List<String> words;
    private final Map<String, String> environment = new HashMap<>();
    private Duration timeout = Duration.ofSeconds(30);

    private Command(List<String> words) {
        this.words = words;
    }

    /** The program and its arguments. */
    public static Command of(List<String> words) {
        return new Command(List.copyOf(words));
    }

    /** The program and its arguments. */
    public static Command of(String... words) {
        return new Command(List.of(words));
    }

    /** Adds to the environment. */
    public Command env(Map<String, String> more) {
        environment.putAll(more);
        return this;
    }

    /** Bounds the run; 30 s when not called. */
    public Command within(Duration bound) {
        timeout = bound;
        return this;
    }

    /** Runs to the end; any exit status is an answer. */
    public Result run() throws IOException, InterruptedException {
        ProcessBuilder builder = new ProcessBuilder(words);
        builder.environment().putAll(environment);
        builder.redirectInput(new java.io.File("/dev/null"));
        Process process = builder.start();
        CompletableFuture<String> out = text(process.getInputStream());
        CompletableFuture<String> err = text(process.getErrorStream());
        if (!process.waitFor(timeout.toMillis(), TimeUnit.MILLISECONDS)) {
            process.descendants().forEach(ProcessHandle::destroyForcibly);
            process.destroyForcibly().waitFor();
            throw new AssertionError(
                    String.join(" ", words) + ": not done after " + timeout + "; printed: " + out.join() + err.join());
        }
        return new Result(String.join(" ", words), process.exitValue(), out.join(), err.join());
    }

    /** Runs to the end and insists on exit status 0. */
    public Result ok() throws IOException, InterruptedException {
        Result result = run();
        if (result.status() != 0) {
            throw new AssertionError(result.toString());
        }
        return result;
    }

    private static CompletableFuture<String> text(InputStream stream) {
        CompletableFuture<String> text = new CompletableFuture<>();
        Thread.ofVirtual().start(() -> {
            try (stream) {
                text.complete(new String(stream.readAllBytes(), StandardCharsets.UTF_8));
            } catch (IOException e) {
                text.completeExceptionally(new UncheckedIOException(e));
            }
        });
        return text;
    }

    /** How a program ended. */
    public record Result(String command, int status, String out, String err) {
        @Override
        public String toString() {
            return command + ": exit status " + status + "\n" + out + err;
        }
    }
}
