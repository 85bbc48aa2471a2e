package dev.tulle.config;

import dev.tulle.model.EdgeTls;

/** What becomes of the TLS of callers at a server or listener of a gateway. */
public sealed interface ServerTls {
    /** They speak none. */
    record None() implements ServerTls {}

    /** It ends here, with files of the gateway's host. */
    record Files(EdgeTls files) implements ServerTls {}

    /**
     * It ends here, with what a Secret holds.
     *
     * @param secret its name
     * @param mutual whether callers need a certificate, of an authority of that Secret or of its companion
     * @param onlyNewest true to take TLS 1.3 only
     * @param position where the name is written
     */
    record Named(String secret, boolean mutual, boolean onlyNewest, Position position) implements ServerTls {}

    /**
     * It ends here, with the certificate of a Secret of one namespace, which may be another than the listener's.
     *
     * @param secret its name
     * @param position where the name is written
     */
    record Referenced(String namespace, String secret, Position position) implements ServerTls {}

    /** It ends at the destination, which the name that they ask for decides on. */
    record Passing() implements ServerTls {}
}
