package dev.tulle.control.authority;

import dev.tulle.common.VisibleText;
import dev.tulle.common.pki.SpiffeId;
import dev.tulle.common.pki.UnusableCertificateException;
import dev.tulle.identity.authority.AuthorityOptions;
import dev.tulle.identity.authority.CertificateAuthority;
import dev.tulle.identity.authority.IssuedCertificate;
import dev.tulle.identity.authority.RefusedSignatureException;
import dev.tulle.identity.request.CertificateRequest;
import dev.tulle.identity.request.InvalidRequestException;
import dev.tulle.xds.Asker;
import dev.tulle.xds.CertificateIssuer;
import java.io.IOException;
import java.security.SecureRandom;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * The authority with its rules: a node gets certificates for itself, for its proxies, and for the identities of workloads
 * that it has registered; root of the control plane's host for every node and every registered workload. Thread-safe.
 */
public final class MeshAuthority implements CertificateIssuer, AutoCloseable {
    private static final System.Logger LOG = System.getLogger(MeshAuthority.class.getName());
    private static final Duration TICK = Duration.ofSeconds(1);

    /** Characters of what an asker wrote that an answer repeats. */
    private static final int SHOWN = 300;

    private final CertificateAuthority authority;
    private final InstantSource clock;
    private final Holders holders;
    private final CertificateCounts counts;
    private final RequestRate rate = new RequestRate();
    private final Thread upkeep;

    private MeshAuthority(
            CertificateAuthority authority, InstantSource clock, Holders holders, CertificateCounts counts) {
        this.authority = authority;
        this.clock = clock;
        this.holders = holders;
        this.counts = counts;
        this.upkeep = Thread.ofVirtual().name("authority").unstarted(this::maintain);
    }

    /**
     * Opens the authority of a control plane.
     *
     * @throws IOException when it cannot be used; the message says why and names the file
     */
    public static CertificateAuthority open(AuthorityOptions options, InstantSource clock) throws IOException {
        try {
            return CertificateAuthority.open(options, clock, new SecureRandom());
        } catch (UnusableCertificateException e) {
            throw new IOException("the certificate authority cannot be used: " + e.getMessage(), e);
        } catch (IOException e) {
            throw new IOException("the certificate authority cannot be used: " + e.getMessage(), e);
        }
    }

    /**
     * Has it look after itself from now on, until it is closed.
     *
     * @param authority which is closed with this
     */
    public static MeshAuthority start(
            CertificateAuthority authority, InstantSource clock, Holders holders, CertificateCounts counts) {
        MeshAuthority made = new MeshAuthority(authority, clock, holders, counts);
        made.upkeep.start();
        return made;
    }

    private void maintain() {
        String last = "";
        while (!Thread.currentThread().isInterrupted()) {
            try {
                Thread.sleep(TICK);
                authority.maintain(holders.connected());
                last = "";
            } catch (InterruptedException e) {
                return;
            } catch (IOException | RuntimeException e) {
                if (!last.equals(e.toString())) {
                    last = e.toString();
                    LOG.log(System.Logger.Level.ERROR, "the authority cannot do what is due, and tries again", e);
                }
            }
        }
    }

    @Override
    public Answer create(Asker asker, String csr, Duration life, String identity) {
        counts.asked();
        Answer answer = decide(asker, csr, life, identity);
        switch (answer) {
            case Answer.Issued _ -> counts.issued();
            case Answer.Refused(Why why, String _) -> counts.refused(why);
        }
        return answer;
    }

    private Answer decide(Asker asker, String csr, Duration life, String identity) {
        String name = asker instanceof Asker.Node node ? node.name() : "";
        if (!rate.admits(name, clock.instant())) {
            return refused(
                    Why.TOO_OFTEN,
                    asker + " has asked for more than " + RequestRate.PER_SECOND
                            + " certificates a second; expected to come again later");
        }
        if (!name.isEmpty() && !holders.admits(name)) {
            return refused(
                    Why.FORBIDDEN,
                    asker + " asks for a certificate, expected a node that has joined and was not removed");
        }
        SpiffeId wanted;
        try {
            wanted = identity.isEmpty() ? own(asker) : SpiffeId.parse(identity);
        } catch (IllegalArgumentException e) {
            return refused(Why.INVALID, asker + " asks for a certificate without saying whose: " + e.getMessage());
        }
        Optional<String> holder = holder(wanted, name);
        if (holder.isEmpty()) {
            return refused(
                    Why.FORBIDDEN,
                    asker + " asks for a certificate for " + wanted + ", expected "
                            + (name.isEmpty()
                                    ? "a node, its proxies, or a workload that a node has registered"
                                    : "itself, its proxies, or a workload that it has registered"));
        }
        try {
            CertificateRequest request = CertificateRequest.ofPem(csr);
            return new Answer.Issued(texts(authority.sign(request, wanted, life, holder.get())));
        } catch (InvalidRequestException e) {
            return refused(Why.INVALID, asker + " asks for " + wanted + ": " + e.getMessage());
        } catch (RefusedSignatureException e) {
            return refused(Why.FAILED, asker + " asks for " + wanted + ": " + e.getMessage());
        } catch (IOException e) {
            LOG.log(System.Logger.Level.ERROR, "a certificate cannot be remembered and is not given away", e);
            return refused(Why.FAILED, "the authority cannot write down what it signs (" + e.getMessage() + ")");
        }
    }

    private SpiffeId own(Asker asker) {
        return switch (asker) {
            case Asker.Node(String name) -> SpiffeId.node(authority.trustDomain(), name);
            case Asker.Local() ->
                throw new IllegalArgumentException("expected ImpersonatedIdentity in the request's metadata");
        };
    }

    /** The node in whose name it is given; empty when it may not be. */
    private Optional<String> holder(SpiffeId wanted, String asker) {
        if (!wanted.trustDomain().equals(authority.trustDomain())) {
            return Optional.empty();
        }
        if (wanted.workload().isPresent()) {
            return holders.holder(wanted, asker);
        }
        return wanted.node().filter(node -> asker.isEmpty() ? holders.isNode(node) : node.equals(asker));
    }

    private static Answer refused(Why why, String reason) {
        return new Answer.Refused(why, VisibleText.line(reason, SHOWN));
    }

    /** As Istio's agents and ztunnel expect it: leaf, intermediates, and in the last text all roots. */
    private static List<String> texts(IssuedCertificate issued) {
        List<String> texts = new ArrayList<>();
        for (X509Certificate one : issued.chain()) {
            texts.add(IssuedCertificate.pem(List.of(one)));
        }
        texts.add(IssuedCertificate.pem(issued.roots()));
        return texts;
    }

    @Override
    public void close() throws IOException {
        upkeep.interrupt();
        authority.close();
    }
}
