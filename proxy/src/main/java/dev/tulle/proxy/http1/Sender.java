package dev.tulle.proxy.http1;

/** What the head of a forwarded request says of its client. */
public interface Sender {
    /**
     * True when the request enters the mesh here: it is given an id and told its protocol, as the first proxy on the way
     * does; others travel as they are.
     */
    boolean edge();

    /** True when the client speaks TLS with the mesh's edge: requests say so. */
    boolean secure();

    /** The address of a client outside the mesh, for whom the request says that it is forwarded; empty for one inside. */
    String outside();

    /** How many proxies before the mesh's edge are believed what they say of those before them. */
    default int trustedHops() {
        return 0;
    }
}
