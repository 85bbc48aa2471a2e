package dev.tulle.proxy.filter;

/** What is reported of one call of gRPC besides what every request has. Loop-confined. */
public final class GrpcCall {
    private final GrpcMessages requests = new GrpcMessages();
    private final GrpcMessages responses = new GrpcMessages();
    private int status = -1;
    private long timeoutNanos;

    GrpcMessages requests() {
        return requests;
    }

    GrpcMessages responses() {
        return responses;
    }

    /** Messages of the client that passed whole. */
    public long requestMessages() {
        return requests.count();
    }

    /** Messages of the server that passed whole. */
    public long responseMessages() {
        return responses.count();
    }

    void timeout(long nanos) {
        timeoutNanos = nanos;
    }

    /** How long the client gives the call; 0 when it does not say. */
    public long timeoutNanos() {
        return timeoutNanos;
    }

    /** Takes the status that the client gets; the first one counts. */
    public void status(int number) {
        if (status < 0) {
            status = number;
        }
    }

    /** The status that the client got; -1 when it got none. */
    public int status() {
        return status;
    }
}
