package dev.tulle.cli.role;

import dev.tulle.cli.client.CommandFailure;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** What a role needs of its user. */
final class Privilege {
    /** CAP_NET_ADMIN's bit of the effective capabilities. */
    private static final long NET_ADMIN = 1L << 12;

    private Privilege() {}

    /**
     * Makes sure that this process may change the host's network and control groups.
     *
     * @throws CommandFailure with one sentence when it may not
     */
    static void need(String command) {
        if (!mayAdminister()) {
            throw new CommandFailure(
                    CommandFailure.NO,
                    "needs root: it loads programs into the kernel and makes addresses, routes and control groups; try sudo"
                            + " tulle " + command);
        }
    }

    private static boolean mayAdminister() {
        try {
            return Files.readAllLines(Path.of("/proc/self/status")).stream()
                    .filter(line -> line.startsWith("CapEff:"))
                    .map(line -> Long.parseUnsignedLong(
                            line.substring("CapEff:".length()).strip(), 16))
                    .anyMatch(set -> (set & NET_ADMIN) != 0);
        } catch (IOException | NumberFormatException e) {
            // Not to be told: the kernel will say it.
            return true;
        }
    }
}
