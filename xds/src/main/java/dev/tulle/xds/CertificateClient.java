package dev.tulle.xds;

import com.google.protobuf.Struct;
import com.google.protobuf.Value;
import dev.tulle.common.pki.SpiffeId;
import dev.tulle.xds.proto.istio.auth.IstioCertificateRequest;
import io.grpc.CallOptions;
import io.grpc.ManagedChannel;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.ClientCalls;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.security.cert.Certificate;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** Asks the control plane for certificates. Thread-safe; every request has a connection of its own, as they are rare. */
public final class CertificateClient {
    private static final Duration PATIENCE = Duration.ofSeconds(10);

    private final ControlAddress control;

    /** For a control plane. */
    public CertificateClient(ControlAddress control) {
        this.control = control;
    }

    /**
     * What was signed.
     *
     * @param chain the certificate, followed by those of its issuers but the root
     * @param roots whom to trust
     */
    public record Signed(List<X509Certificate> chain, List<X509Certificate> roots) {
        public Signed {
            chain = List.copyOf(chain);
            roots = List.copyOf(roots);
        }
    }

    /**
     * Asks for one; blocks for ten seconds at most.
     *
     * @param identity of whom
     * @param request a request for its key, as PEM
     * @throws IOException with one sentence when nobody answers, the authority refuses, or what it says cannot be read
     */
    public Signed sign(SpiffeId identity, String request) throws IOException {
        ManagedChannel channel = GrpcChannels.open(control);
        try {
            return read(ClientCalls.blockingUnaryCall(
                            channel,
                            CertificateMethod.CREATE,
                            CallOptions.DEFAULT.withDeadlineAfter(PATIENCE.toMillis(), TimeUnit.MILLISECONDS),
                            IstioCertificateRequest.newBuilder()
                                    .setCsr(request)
                                    .setMetadata(Struct.newBuilder()
                                            .putFields(
                                                    CertificateMethod.IDENTITY,
                                                    Value.newBuilder()
                                                            .setStringValue(identity.toString())
                                                            .build()))
                                    .build())
                    .getCertChainList());
        } catch (StatusRuntimeException e) {
            throw new IOException("the authority gives none: " + GrpcChannels.reason(e), e);
        } finally {
            channel.shutdownNow();
        }
    }

    /** Each text may hold several certificates; those that have signed themselves are the roots. */
    private static Signed read(List<String> texts) throws IOException {
        List<X509Certificate> chain = new ArrayList<>();
        List<X509Certificate> roots = new ArrayList<>();
        try {
            CertificateFactory factory = CertificateFactory.getInstance("X.509");
            for (String text : texts) {
                for (Certificate one : factory.generateCertificates(
                        new ByteArrayInputStream(text.getBytes(StandardCharsets.ISO_8859_1)))) {
                    X509Certificate certificate = (X509Certificate) one;
                    boolean root = certificate.getSubjectX500Principal().equals(certificate.getIssuerX500Principal())
                            && certificate.getBasicConstraints() >= 0;
                    (root ? roots : chain).add(certificate);
                }
            }
        } catch (CertificateException e) {
            throw new IOException("the authority's answer cannot be read: " + e.getMessage(), e);
        }
        if (chain.isEmpty() || roots.isEmpty()) {
            throw new IOException("the authority's answer has " + chain.size() + " certificates and " + roots.size()
                    + " roots, expected one at least of both");
        }
        return new Signed(chain, roots);
    }
}
