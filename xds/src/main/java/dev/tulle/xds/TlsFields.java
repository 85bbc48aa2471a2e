package dev.tulle.xds;

import dev.tulle.xds.proto.envoy.config.core.v3.DataSource;

/** What the TLS of endpoints and that of the edge have in common as Envoy's transport sockets. */
final class TlsFields {
    /** The name of the transport socket. */
    static final String NAME = "envoy.transport_sockets.tls";

    private TlsFields() {}

    /** A file by its name. */
    static DataSource file(String name) {
        return DataSource.newBuilder().setFilename(name).build();
    }

    /**
     * The name of a file.
     *
     * @throws IllegalArgumentException when the source is none
     */
    static String file(String field, DataSource source) {
        expect(!source.getFilename().isEmpty(), field + " " + source.getSpecifierCase(), "a filename");
        return source.getFilename();
    }

    /**
     * Refuses what cannot be honoured.
     *
     * @throws IllegalArgumentException unless it is so
     */
    static void expect(boolean isSo, String found, String expected) {
        if (!isSo) {
            throw new IllegalArgumentException("transport_socket: " + found + ": expected " + expected);
        }
    }
}
