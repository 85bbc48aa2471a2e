package dev.tulle.cli.command;

import com.google.gson.JsonObject;
import dev.tulle.cli.client.CommandFailure;
import dev.tulle.cli.client.CommandStart;
import java.time.Duration;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** How long a change waits for the mesh's clients to enforce it. */
final class TimeoutOption {
    private static final int MOST = 600;
    private static final Duration UNSAID = Duration.ofSeconds(8);

    @Option(
            names = "--timeout",
            paramLabel = "SECONDS",
            description = "How long the clients may take to enforce it, 1 to 600; status 1 names those that did not."
                    + " Default: 8, less on a host so busy that this command has taken seconds to start.")
    private @Nullable Integer seconds;

    /**
     * Adds it to a request's parameters.
     *
     * @throws CommandFailure with status 2 when it is out of range
     */
    JsonObject into(JsonObject params) {
        Integer said = seconds;
        if (said != null && (said < 1 || said > MOST)) {
            throw new CommandFailure(
                    CommandFailure.USAGE, "--timeout: found " + said + ", expected 1 to " + MOST + " seconds");
        }
        params.addProperty(
                "timeoutSeconds",
                said != null ? said : CommandStart.less(UNSAID).toSeconds());
        return params;
    }
}
