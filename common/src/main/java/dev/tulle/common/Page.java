package dev.tulle.common;

/** Makes the answer to requests for one path of a {@link PageServer}; on a thread of its own, and may block. */
@FunctionalInterface
public interface Page {
    /** Plain text. */
    String TEXT = "text/plain; charset=utf-8";

    /** Prometheus' text format. */
    String PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8";

    /** JSON. */
    String JSON = "application/json";

    /**
     * An answer.
     *
     * @param status the HTTP status
     * @param type the content type
     * @param body the text
     */
    record Answer(int status, String type, String body) {
        /** 200 with plain text. */
        public static Answer text(String body) {
            return new Answer(200, TEXT, body);
        }

        /** 503 with the reason. */
        public static Answer unavailable(String why) {
            return new Answer(503, TEXT, why + "\n");
        }
    }

    /** The method that it answers; with GET also HEAD. */
    default String method() {
        return "GET";
    }

    /**
     * Makes the answer.
     *
     * @throws Exception when it cannot be made; answered with 503 and the message
     */
    Answer make() throws Exception;
}
