package dev.tulle.cli.client;

import java.util.List;

/** Ends a command with a message for people and an exit status. Carries no stack trace: it is an answer, not a bug. */
public final class CommandFailure extends RuntimeException {
    /** The answer is no: invalid, unhealthy, denied, not found. */
    public static final int NO = 1;

    /** The command line is wrong. */
    public static final int USAGE = 2;

    /** The mesh cannot be reached. */
    public static final int UNREACHABLE = 3;

    private final int status;
    private final List<String> details;

    /**
     * Makes a failure.
     *
     * @param status one of the constants of this class
     * @param message one sentence without the command's name
     * @param details further lines, printed below it
     */
    public CommandFailure(int status, String message, List<String> details) {
        super(message, null, false, false);
        this.status = status;
        this.details = List.copyOf(details);
    }

    /** A failure without details. */
    public CommandFailure(int status, String message) {
        this(status, message, List.of());
    }

    /** The exit status. */
    public int status() {
        return status;
    }

    /** Further lines. */
    public List<String> details() {
        return details;
    }

    /** The message of the failure; never null here. */
    @Override
    public String getMessage() {
        String message = super.getMessage();
        return message == null ? "failed" : message;
    }
}
