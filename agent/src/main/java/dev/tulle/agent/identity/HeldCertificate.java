package dev.tulle.agent.identity;

import dev.tulle.common.pki.SpiffeId;
import dev.tulle.common.pki.TlsIdentity;
import java.math.BigInteger;
import java.security.KeyPair;
import java.security.cert.CertificateException;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.time.Instant;
import java.util.random.RandomGenerator;

/**
 * A certificate and its key as long as the agent has them; they are never written anywhere.
 *
 * @param identity whose it is
 * @param tls chain and key
 * @param issued when it came
 * @param renewal when the next one is asked for
 */
record HeldCertificate(SpiffeId identity, TlsIdentity tls, Instant issued, Instant renewal) {
    /** The part of the time that is left after which the next one is asked for, and how far each may be from that. */
    private static final double RENEW_AT = 0.5;

    private static final double SPREAD = 0.05;

    /**
     * Takes what was signed, if it is what was asked for.
     *
     * @param now by the wall clock, as all times here
     * @throws CertificateException with a sentence that says what is wrong with it
     */
    static HeldCertificate of(
            SpiffeId identity, KeyPair keys, CertificateSource.Issued answer, Instant now, RandomGenerator random)
            throws CertificateException {
        if (answer.chain().isEmpty()) {
            throw new CertificateException("the authority has answered without a certificate");
        }
        X509Certificate leaf = answer.chain().getFirst();
        SpiffeId named = SpiffeId.of(leaf);
        if (!named.equals(identity)) {
            throw new CertificateException("the authority has signed for " + named + ", expected " + identity);
        }
        if (!leaf.getPublicKey().equals(keys.getPublic())) {
            throw new CertificateException("the authority has signed another key for " + identity);
        }
        // Also says when one is not valid yet or any more.
        leaf.checkValidity(java.util.Date.from(now));
        Duration left = Duration.between(now, leaf.getNotAfter().toInstant());
        double part = RENEW_AT - SPREAD + 2 * SPREAD * random.nextDouble();
        return new HeldCertificate(
                identity,
                new TlsIdentity(answer.chain(), keys.getPrivate(), identity.toString()),
                now,
                now.plusMillis((long) (left.toMillis() * part)));
    }

    /** The end of its validity. */
    Instant ends() {
        return tls.certificate().getNotAfter().toInstant();
    }

    /** Its number at the authority. */
    BigInteger serial() {
        return tls.certificate().getSerialNumber();
    }

    /**
     * True when the next one is to be asked for. By the wall clock, as peers judge: a host that slept, or whose clock was
     * set, finds that out at the next look.
     */
    boolean isDue(Instant now) {
        return !now.isBefore(renewal)
                || now.isBefore(tls.certificate().getNotBefore().toInstant());
    }

    /** True when nobody believes it any more. */
    boolean hasEnded(Instant now) {
        return now.isAfter(ends());
    }

    /** Without the key. */
    @Override
    public String toString() {
        return identity + " until " + ends();
    }
}
