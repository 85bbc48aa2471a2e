package dev.tulle.xds;

import io.grpc.Attributes;

/**
 * The process at the other end of a connection, as the kernel noted it when it connected; it cannot be forged.
 *
 * @param uid its effective user
 * @param pid its number then; another process may have it by now, so it is for people only
 */
record Peer(int uid, int pid) {
    /** Where a connection's attributes hold it. */
    static final Attributes.Key<Peer> KEY = Attributes.Key.create("tulle-peer");

    /** A call that did not come over a connection. */
    static final Peer UNKNOWN = new Peer(-1, 0);

    @Override
    public String toString() {
        return "uid " + uid + ", pid " + pid;
    }
}
