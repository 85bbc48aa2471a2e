package dev.tulle.common.pki;

/** A certificate, a key or a list of authorities that cannot be used; the message names its file and the cause. */
public final class UnusableCertificateException extends Exception {
    private static final long serialVersionUID = 1;

    /**
     * One that is told to people.
     *
     * @param where the file, or what else its owner knows it by
     * @param cause what is wrong with it and what was expected
     */
    public UnusableCertificateException(String where, String cause) {
        super(where + ": " + cause);
    }
}
