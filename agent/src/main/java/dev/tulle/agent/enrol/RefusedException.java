package dev.tulle.agent.enrol;

/** A request that cannot be done, with a stable code for programs and one sentence for people. */
public final class RefusedException extends Exception {
    private static final long serialVersionUID = 1;

    /** What kind of refusal: shown as the error's code in the local API. */
    public enum Code {
        /** The request itself is wrong. */
        INVALID,
        /** Something of that name or on that port exists. */
        EXISTS,
        /** What the request names does not exist. */
        NOT_FOUND,
        /** Not now: the mesh is not ready, or nothing is left to give. */
        UNAVAILABLE,
        /** The host does not allow it. */
        FORBIDDEN
    }

    private final Code code;
    private final String sentence;

    public RefusedException(Code code, String message) {
        super(message);
        this.code = code;
        this.sentence = message;
    }

    @Override
    public String getMessage() {
        return sentence;
    }

    /** The kind of refusal. */
    public Code code() {
        return code;
    }
}
