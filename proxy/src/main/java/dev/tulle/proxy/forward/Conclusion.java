package dev.tulle.proxy.forward;

/** How one exchange comes to its end, for those that see that it does. Loop-confined. */
interface Conclusion {
    /** Nothing more is forwarded, and no filter is waited for: the request is answered otherwise, or failed. */
    void stop();

    /** The client has its answer, or is gone: the exchange is over. */
    void finish();

    /** The exchange is over, and the client hears of a reset. */
    void finishByReset();

    /** Ends an exchange whose answer has begun and cannot be completed. */
    void fail();
}
