package dev.tulle.cli.command;

import com.google.gson.JsonObject;
import dev.tulle.cli.client.CommandFailure;
import picocli.CommandLine.Option;

/** How long a change waits for the mesh's clients to enforce it. */
final class TimeoutOption {
    private static final int MOST = 600;

    @Option(
            names = "--timeout",
            paramLabel = "SECONDS",
            description = "How long the clients may take to enforce it, 1 to 600; status 1 names those that did not."
                    + " Default: ${DEFAULT-VALUE}.",
            defaultValue = "8")
    private int seconds = 8;

    /**
     * Adds it to a request's parameters.
     *
     * @throws CommandFailure with status 2 when it is out of range
     */
    JsonObject into(JsonObject params) {
        if (seconds < 1 || seconds > MOST) {
            throw new CommandFailure(
                    CommandFailure.USAGE, "--timeout: found " + seconds + ", expected 1 to " + MOST + " seconds");
        }
        params.addProperty("timeoutSeconds", seconds);
        return params;
    }
}
