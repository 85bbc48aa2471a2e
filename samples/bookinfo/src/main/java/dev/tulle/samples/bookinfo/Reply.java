package dev.tulle.samples.bookinfo;

/**
 * An answer to one request.
 *
 * @param status the HTTP status
 * @param json the body, a JSON text
 */
record Reply(int status, String json) {
    static Reply ok(String json) {
        return new Reply(200, json);
    }

    /** An error whose message needs no JSON escapes: it never holds text from outside. */
    static Reply error(int status, String message) {
        return new Reply(status, "{\"error\": \"" + message + "\"}");
    }
}
