package dev.tulle.proxy.forward;

import dev.tulle.proxy.forward.ForwardState.Event;

/** Where one forwarded request is; nothing moves it but an event by {@link ForwardState}'s table. Loop-confined. */
final class Progress {
    private final Conclusion conclusion;
    private ForwardState state = ForwardState.IDLE;

    Progress(Conclusion conclusion) {
        this.conclusion = conclusion;
    }

    ForwardState state() {
        return state;
    }

    boolean is(ForwardState one) {
        return state == one;
    }

    /**
     * Something happened.
     *
     * @throws IllegalStateException when it cannot happen where the request is; which has failed then, as nobody knows what
     *     is sent to whom
     */
    void on(Event event) {
        ForwardState at = state;
        ForwardState next = at.after(event);
        if (next == null) {
            conclusion.fail();
            throw new IllegalStateException(event + " where a request is " + at);
        }
        state = next;
    }
}
