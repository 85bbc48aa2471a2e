package dev.tulle.identity.authority;

/** A certificate that the authority does not sign; the message says which and why. */
public final class RefusedSignatureException extends Exception {
    private static final long serialVersionUID = 1;

    RefusedSignatureException(String message) {
        super(message, null, false, false);
    }
}
