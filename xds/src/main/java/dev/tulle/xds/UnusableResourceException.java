package dev.tulle.xds;

/**
 * Thrown by a {@link ResourceWatcher} that cannot use a value; the control plane is then told so with the message, and the
 * watcher keeps what it had. Carries no stack trace: it is an answer.
 */
public final class UnusableResourceException extends RuntimeException {
    private static final long serialVersionUID = 1;

    public UnusableResourceException(String message) {
        super(message, null, false, false);
    }
}
