package dev.tulle.kernel;

/** What Java expects of a C struct is not what the object's BTF says: a field is missing or has another size. */
public final class LayoutException extends IllegalArgumentException {
    private static final long serialVersionUID = 1L;

    LayoutException(String message) {
        super(message);
    }
}
