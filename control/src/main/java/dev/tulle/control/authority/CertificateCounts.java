package dev.tulle.control.authority;

import dev.tulle.xds.CertificateIssuer.Why;

/** Counts what becomes of requests for certificates. Thread-safe. */
public interface CertificateCounts {
    /** Somebody asks. */
    void asked();

    /** He got one. */
    void issued();

    /** He did not. */
    void refused(Why why);
}
