package dev.tulle.proxy.body;

/** A body is not what it says it is, or more than it may be. */
public final class BrokenBodyException extends RuntimeException {
    private static final long serialVersionUID = 1;

    private final int status;
    private final String details;

    /**
     * With what its sender is told.
     *
     * @param status of the answer
     * @param details the reason in one word
     * @param why a sentence for people
     */
    public BrokenBodyException(int status, String details, String why) {
        // It is an answer and no failure of the program: nobody looks at where it was made.
        super(why, null, false, false);
        this.status = status;
        this.details = details;
    }

    /** The status of the answer. */
    public int status() {
        return status;
    }

    /** The reason in one word. */
    public String details() {
        return details;
    }
}
