package dev.tulle.identity.authority;

import dev.tulle.common.pki.SpiffeId;
import dev.tulle.common.pki.UnusableCertificateException;
import dev.tulle.identity.request.CertificateRequest;
import dev.tulle.identity.rotation.RotationState;
import java.io.IOException;
import java.math.BigInteger;
import java.security.SecureRandom;
import java.security.cert.X509CRL;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Predicate;

/**
 * The mesh's certificate authority: signs leaves for identities, revokes them, and replaces its own roots. Who may have a
 * certificate for what, its caller has decided. Thread-safe; signing waits for the disk.
 */
public final class CertificateAuthority implements AutoCloseable {
    /** Leaves hold from a little before they are signed: clocks differ. */
    private static final Duration SKEW = Duration.ofMinutes(2);

    /** And not more than this part of their life. */
    private static final int SKEW_PART = 4;

    /** A leaf that would end sooner than this is not worth signing. */
    private static final Duration WORTHLESS = Duration.ofSeconds(10);

    /** Lists of revoked certificates are made anew after this part of their life. */
    private static final Duration CRL_AGE = CrlMaker.LIFE.dividedBy(7);

    private final AuthorityOptions options;
    private final InstantSource clock;
    private final CertificateMaker maker;
    private final Roots roots;
    private final IssueLog log;
    private final Revocations revocations;
    private final List<Runnable> listeners = new CopyOnWriteArrayList<>();
    private final Object lock = new Object();

    /** As {@link Roots#trusted}: each handshake asks, and must not wait for the disk of whoever signs. */
    private volatile List<X509Certificate> trusted = List.of();

    private volatile List<X509CRL> crls = List.of();
    private Instant crlsMade = Instant.EPOCH;
    private long signed;

    private CertificateAuthority(
            AuthorityOptions options,
            InstantSource clock,
            CertificateMaker maker,
            Roots roots,
            IssueLog log,
            Revocations revocations) {
        this.options = options;
        this.clock = clock;
        this.maker = maker;
        this.roots = roots;
        this.log = log;
        this.revocations = revocations;
    }

    /**
     * Opens an authority. One that has no keys yet and none plugged in makes them.
     *
     * @param clock wall clock time
     * @param random for serial numbers; keys are the JDK's
     * @throws UnusableCertificateException when keys or certificates cannot be used; the message names the file
     * @throws IOException when a file cannot be read or written, or others may read a key
     */
    public static CertificateAuthority open(AuthorityOptions options, InstantSource clock, SecureRandom random)
            throws UnusableCertificateException, IOException {
        Instant now = clock.instant();
        AuthorityStore.prepare(options.folder());
        CertificateMaker maker = new CertificateMaker(random);
        Roots roots = Roots.open(options, maker, now);
        Revocations revocations = Revocations.open(options.folder().resolve("revoked.json"), now);
        IssueLog log = IssueLog.open(options.folder().resolve("issued.log"), now);
        CertificateAuthority made = new CertificateAuthority(options, clock, maker, roots, log, revocations);
        made.renewCrls(now);
        return made;
    }

    /** The naming root of all identities that it signs for. */
    public String trustDomain() {
        return options.trustDomain();
    }

    /** How long a leaf holds at most. */
    public Duration leafLife() {
        return options.leafLife();
    }

    /**
     * Signs a leaf. It is remembered on the disk before it is returned.
     *
     * @param identity whose it is, of this trust domain and with a path
     * @param wanted how long it should hold; zero for as long as the authority allows. More than that, or less than a
     *     minute, is not taken amiss: it gets the most or the least
     * @param node who asked; empty for the control plane itself
     * @throws RefusedSignatureException when it cannot be signed
     * @throws IOException when it cannot be remembered
     */
    public IssuedCertificate sign(CertificateRequest request, SpiffeId identity, Duration wanted, String node)
            throws RefusedSignatureException, IOException {
        if (!identity.trustDomain().equals(options.trustDomain())
                || identity.path().isEmpty()) {
            throw new RefusedSignatureException("a certificate for " + identity
                    + " is not signed, expected an identity of trust domain " + options.trustDomain());
        }
        synchronized (lock) {
            Instant now = clock.instant();
            SigningAuthority by = roots.signing();
            CertificateMaker.Validity validity = validity(by, wanted, now);
            X509Certificate leaf = maker.leaf(request.key(), identity, by, validity);
            log.forget(now);
            log.add(new IssueLog.Issued(
                    leaf.getSerialNumber(), roots.state().current(), validity.until(), node, identity.toString()));
            signed++;
            List<X509Certificate> chain = new ArrayList<>();
            chain.add(leaf);
            chain.addAll(roots.sent());
            return new IssuedCertificate(chain, roots.trusted());
        }
    }

    private CertificateMaker.Validity validity(SigningAuthority by, Duration wanted, Instant now)
            throws RefusedSignatureException {
        Duration life = options.leafLife();
        if (wanted.isPositive() && wanted.compareTo(life) < 0) {
            life = wanted.compareTo(AuthorityOptions.SHORTEST_LEAF) < 0 ? AuthorityOptions.SHORTEST_LEAF : wanted;
        }
        Instant until = earlier(now.plus(life), by.end()).truncatedTo(ChronoUnit.SECONDS);
        if (until.isBefore(now.plus(WORTHLESS))) {
            throw new RefusedSignatureException(
                    "nothing is signed: the authority's own certificate ends at " + by.end());
        }
        // Who renews at half of the whole time must not be late, or at it all the time, where lives are short.
        Duration skew = SKEW.compareTo(life.dividedBy(SKEW_PART)) < 0 ? SKEW : life.dividedBy(SKEW_PART);
        Instant from = now.minus(skew).truncatedTo(ChronoUnit.SECONDS);
        return new CertificateMaker.Validity(from.isBefore(by.begin()) ? by.begin() : from, until);
    }

    private static Instant earlier(Instant one, Instant other) {
        return one.isBefore(other) ? one : other;
    }

    /** The roots to be trusted now, the one that signs first. */
    public List<X509Certificate> roots() {
        return trusted;
    }

    /** The lists of what is revoked, one for each issuer whose leaves may live. */
    public List<X509CRL> crls() {
        return crls;
    }

    /** Has a listener told, on the thread that caused it, after the roots or the lists of what is revoked have changed. */
    public void addListener(Runnable listener) {
        listeners.add(listener);
    }

    /**
     * Revokes every leaf of an identity that lives. Its holders may ask for new ones.
     *
     * @return the leaves that were not revoked before
     * @throws IOException when it cannot be kept: nothing is revoked then
     */
    public List<AuthorityStatus.RevokedLeaf> revoke(SpiffeId identity) throws IOException {
        String text = identity.toString();
        return revoke(issued -> issued.identity().equals(text));
    }

    /**
     * Revokes one leaf that lives.
     *
     * @param serial its number
     * @return it, when it was not revoked before; empty also when there is none
     * @throws IOException when it cannot be kept: nothing is revoked then
     */
    public List<AuthorityStatus.RevokedLeaf> revoke(BigInteger serial) throws IOException {
        return revoke(issued -> issued.serial().equals(serial));
    }

    private List<AuthorityStatus.RevokedLeaf> revoke(Predicate<IssueLog.Issued> which) throws IOException {
        List<Revocations.Revoked> added;
        synchronized (lock) {
            Instant now = clock.instant();
            log.forget(now);
            added = revocations.add(log.living().stream().filter(which).toList(), now);
            if (!added.isEmpty()) {
                renewCrls(now);
            }
        }
        if (!added.isEmpty()) {
            changed();
        }
        return added.stream().map(AuthorityReport::revoked).toList();
    }

    /** Whether a leaf's number is one that lives and is revoked. */
    public boolean isRevoked(BigInteger serial) {
        synchronized (lock) {
            return revocations.find(serial).isPresent();
        }
    }

    /**
     * Begins to replace the root by a new one.
     *
     * @throws RefusedSignatureException when it is being replaced already, or is plugged in
     * @throws IOException when the new one cannot be kept
     */
    public RotationState rotate() throws RefusedSignatureException, IOException {
        RotationState state;
        synchronized (lock) {
            Instant now = clock.instant();
            roots.begin(now);
            state = roots.state();
            renewCrls(now);
        }
        changed();
        return state;
    }

    /** A node says which roots it trusts: all its proxies have them in force, and it has kept them. */
    public void trusts(String node, Set<String> fingerprints) {
        synchronized (lock) {
            roots.trusts(node, fingerprints);
        }
    }

    /**
     * Does what is due: goes on with a rotation, begins one before the root ends, makes lists of what is revoked anew. To be
     * called every second or so.
     *
     * @param connected the nodes that are connected
     * @throws IOException when a new state cannot be kept; the old one is in force and it is tried again the next time
     */
    public void maintain(Set<String> connected) throws IOException {
        boolean changed;
        synchronized (lock) {
            Instant now = clock.instant();
            log.forget(now);
            changed = roots.advance(log.living(), connected, now);
            if (changed || now.isAfter(crlsMade.plus(CRL_AGE))) {
                renewCrls(now);
                changed = true;
            }
        }
        if (changed) {
            changed();
        }
    }

    /** After each change of the roots, too. */
    private void renewCrls(Instant now) {
        trusted = roots.trusted();
        List<Revocations.Revoked> living = revocations.living(now);
        List<X509CRL> made = new ArrayList<>();
        for (Map.Entry<Integer, SigningAuthority> root : roots.byNumber().entrySet()) {
            made.add(CrlMaker.make(
                    root.getValue(),
                    living.stream()
                            .filter(one -> one.issued().root() == root.getKey())
                            .toList(),
                    now));
        }
        crls = List.copyOf(made);
        crlsMade = now;
    }

    private void changed() {
        listeners.forEach(Runnable::run);
    }

    /** What there is to say of it. */
    public AuthorityStatus status() {
        synchronized (lock) {
            return AuthorityReport.of(options, roots, log.living(), revocations, signed, clock.instant());
        }
    }

    @Override
    public void close() throws IOException {
        synchronized (lock) {
            log.close();
        }
    }
}
