package dev.tulle.proxy.loop;

import java.io.IOException;

/** The other end of something that is no socket has reset it, or it broke: what has come is not everything. */
public final class ResetException extends IOException {
    private static final long serialVersionUID = 1;

    /** With a sentence for people. */
    public ResetException(String why) {
        super(why);
    }

    /** What happens to others' connections is no fault of the code: nobody reads where it was made. */
    @Override
    public synchronized Throwable fillInStackTrace() {
        return this;
    }
}
