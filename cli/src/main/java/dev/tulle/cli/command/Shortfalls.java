package dev.tulle.cli.command;

import dev.tulle.cli.client.CommandFailure;
import java.util.List;

/** What a change lacks to be enforced everywhere, as the control plane says it. */
final class Shortfalls {
    private Shortfalls() {}

    /**
     * Passes when there are none.
     *
     * @throws CommandFailure with status 1 and a line for each
     */
    static void check(List<String> shortfalls) {
        if (!shortfalls.isEmpty()) {
            throw new CommandFailure(
                    CommandFailure.NO, "the change is stored, but not every client enforces it:", shortfalls);
        }
    }
}
