package dev.tulle.kernel;

/** BTF bytes that break the format; the message names the type id or offset, the value and what was expected. */
public final class BtfFormatException extends IllegalArgumentException {
    private static final long serialVersionUID = 1L;

    BtfFormatException(String message) {
        super(message);
    }
}
