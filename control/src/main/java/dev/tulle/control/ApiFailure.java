package dev.tulle.control;

import com.google.gson.JsonArray;

/** A request of the local API is refused; the message and the details are for the user. */
final class ApiFailure extends Exception {
    private static final long serialVersionUID = 1;

    private final String code;
    private final transient JsonArray details;

    ApiFailure(String code, String message) {
        this(code, message, new JsonArray());
    }

    ApiFailure(String code, String message, JsonArray details) {
        super(message);
        this.code = code;
        this.details = details;
    }

    /** One word for programs, for example {@code not-found}. */
    String code() {
        return code;
    }

    /** What is behind it, for example one object per problem. */
    JsonArray details() {
        return details;
    }
}
