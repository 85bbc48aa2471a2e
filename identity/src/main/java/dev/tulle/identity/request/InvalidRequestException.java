package dev.tulle.identity.request;

/** A request for a certificate, or a key in it, that no authority of Tulle signs; the message says what is wrong with it. */
public final class InvalidRequestException extends Exception {
    private static final long serialVersionUID = 1;

    InvalidRequestException(String message) {
        // Whoever may ask can cause as many as it likes.
        super(message, null, false, false);
    }
}
