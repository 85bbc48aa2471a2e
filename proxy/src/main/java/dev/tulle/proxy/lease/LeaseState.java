package dev.tulle.proxy.lease;

/** What is going on on a connection to an endpoint that was offered to the kernel. */
public enum LeaseState {
    /** The proxy's own: not offered, taken back, or handed over by the kernel. */
    PROXY(0),
    /** Nobody's: any client may get it. */
    POOLED(1),
    /** A client's, with nothing outstanding. */
    HELD(2),
    /** A request is with the server, and nothing of its response was seen. */
    SENT(3),
    /** The response's head was forwarded, and a part of its body is still to come. */
    ANSWER(4),
    /** The request's head was forwarded, and a part of its body is still to come. */
    BODY(5);

    private static final LeaseState[] ALL = values();

    /** Every state that a lease can be taken from. */
    public static final int ANY = POOLED.bit() | HELD.bit() | SENT.bit() | ANSWER.bit() | BODY.bit();

    /** Those with a request under way. */
    public static final int BUSY = SENT.bit() | ANSWER.bit() | BODY.bit();

    /** Those without a request. */
    public static final int UNUSED = POOLED.bit() | HELD.bit();

    private final int number;

    LeaseState(int number) {
        this.number = number;
    }

    /** The kernel's number. */
    public int number() {
        return number;
    }

    /** The state as one bit of a set. */
    public int bit() {
        return 1 << number;
    }

    /** The state with the kernel's number; {@link #PROXY} for an unknown one. */
    static LeaseState of(int number) {
        for (LeaseState state : ALL) {
            if (state.number == number) {
                return state;
            }
        }
        return PROXY;
    }
}
