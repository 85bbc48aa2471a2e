package dev.tulle.xds;

/** A resource on the wire cannot be read as the model type; the message says which part and why. */
final class InvalidResourceException extends Exception {
    private static final long serialVersionUID = 1;

    InvalidResourceException(String message) {
        super(message);
    }

    InvalidResourceException(String message, Throwable cause) {
        super(message, cause);
    }
}
