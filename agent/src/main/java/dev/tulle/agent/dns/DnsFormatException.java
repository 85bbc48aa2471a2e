package dev.tulle.agent.dns;

/** Bytes that are no DNS message; carries no stack trace, as anybody can cause it at any rate. */
final class DnsFormatException extends Exception {
    private static final long serialVersionUID = 1;

    private final String sentence;

    DnsFormatException(String message) {
        super(message, null, false, false);
        this.sentence = message;
    }

    @Override
    public String getMessage() {
        return sentence;
    }
}
