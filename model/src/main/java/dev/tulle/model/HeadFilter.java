package dev.tulle.model;

/**
 * A filter that decides on a request's head alone: an answer in place of the server's, changes of the answer's fields. It is
 * asked of requests that its route forwards; a route that answers by itself does not ask it, as in Envoy.
 */
public interface HeadFilter extends RouteFilter {
    /**
     * Makes it ready.
     *
     * @throws dev.tulle.model.regex.RegexException when a regular expression is not taken
     */
    Decider prepare();

    /** The filter made ready. Pure and immutable, any thread. */
    @FunctionalInterface
    interface Decider {
        /** What becomes of a request. */
        Outcome decide(RequestView request);
    }

    /**
     * What becomes of a request.
     *
     * @param status what to answer with, without a body; 0 to go on
     * @param details the answer's reason in one word, as Envoy names it
     * @param response changes of the fields of the answer, whoever gives it
     */
    record Outcome(int status, String details, HeaderMutation.Changes response) {
        /** Goes on, and changes nothing. */
        public static final Outcome NOTHING = new Outcome(0, "", HeaderMutation.Changes.NONE);
    }
}
