package dev.tulle.agent.join;

import dev.tulle.agent.identity.CertificateSource;
import dev.tulle.common.pki.SpiffeId;
import dev.tulle.common.pki.TlsIdentity;
import dev.tulle.xds.ControlAddress;
import dev.tulle.xds.NodeTls;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.security.GeneralSecurityException;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.cert.CertificateException;
import java.security.cert.X509Certificate;
import java.security.spec.ECGenParameterSpec;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.List;

/**
 * A membership while the node runs: its certificate is renewed at half of its time, and the roots that come with it are
 * kept. Thread-safe.
 */
public final class LiveMembership implements NodeTls {
    private static final System.Logger LOG = System.getLogger(LiveMembership.class.getName());

    private final MembershipFile file;
    private final InstantSource clock;
    private volatile Membership current;

    /** True once the control plane has announced roots; guarded by the file. */
    private boolean announced;

    /** As it was read or joined. */
    public LiveMembership(Membership joined, MembershipFile file, InstantSource clock) {
        this.current = joined;
        this.file = file;
        this.clock = clock;
    }

    /** What it is now. */
    public Membership now() {
        return current;
    }

    /** Where the control plane serves nodes. */
    public ControlAddress control() {
        return new ControlAddress.Remote(current.host(), current.port(), this);
    }

    /** The same, looked up now. */
    public InetSocketAddress address() {
        return new InetSocketAddress(current.host(), current.port());
    }

    @Override
    public TlsIdentity identity() {
        return current.identity();
    }

    @Override
    public List<X509Certificate> roots() {
        return current.roots();
    }

    /**
     * From now on the control plane is known by these, and not by those that come with a certificate, which may be older.
     *
     * @throws IOException when they cannot be kept: then the ones before stay in force
     */
    public void trust(List<X509Certificate> roots) throws IOException {
        synchronized (file) {
            announced = true;
            Membership held = current;
            if (!held.roots().equals(roots)) {
                Membership next = held.with(held.identity(), roots);
                file.save(next);
                current = next;
            }
        }
    }

    /**
     * Renews the certificate if that is due; blocks. To be called now and then: what fails is tried again the next time, and
     * the certificate before holds until its end.
     */
    public void renewIfDue(CertificateSource source) {
        Membership held = current;
        X509Certificate certificate = held.identity().certificate();
        Instant from = certificate.getNotBefore().toInstant();
        Instant until = certificate.getNotAfter().toInstant();
        Instant due = from.plus(Duration.between(from, until).dividedBy(2));
        if (clock.instant().isBefore(due)) {
            return;
        }
        try {
            SpiffeId identity = SpiffeId.of(certificate);
            KeyPairGenerator generator = KeyPairGenerator.getInstance("EC");
            generator.initialize(new ECGenParameterSpec("secp256r1"));
            KeyPair keys = generator.generateKeyPair();
            CertificateSource.Issued issued = source.request(identity, keys);
            if (!SpiffeId.of(issued.chain().getFirst()).equals(identity)) {
                throw new CertificateException("a certificate for another identity came, expected " + identity);
            }
            synchronized (file) {
                List<X509Certificate> roots = announced ? current.roots() : issued.roots();
                Membership renewed =
                        held.with(new TlsIdentity(issued.chain(), keys.getPrivate(), "node " + held.node()), roots);
                file.save(renewed);
                current = renewed;
            }
        } catch (IOException | GeneralSecurityException e) {
            LOG.log(
                    System.Logger.Level.WARNING,
                    "the certificate of this node is not renewed and ends at " + until + ": " + e.getMessage());
        }
    }
}
