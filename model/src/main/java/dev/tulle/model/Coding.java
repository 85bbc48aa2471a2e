package dev.tulle.model;

import java.util.Arrays;
import java.util.Optional;

/** How a body is coded for the way (RFC 9110 section 8.4.1). */
public enum Coding {
    /** RFC 1952. */
    GZIP("gzip"),
    /** RFC 7932. */
    BROTLI("br"),
    /** RFC 8878, with a window of at most 8 MiB (RFC 9659). */
    ZSTD("zstd");

    private final String token;

    Coding(String token) {
        this.token = token;
    }

    /** Its name in Accept-Encoding and Content-Encoding. */
    public String token() {
        return token;
    }

    /** The one of a name, in lower case. */
    public static Optional<Coding> of(String token) {
        return Arrays.stream(values())
                .filter(coding -> coding.token.equals(token))
                .findFirst();
    }
}
