package dev.tulle.xds;

import com.google.protobuf.ByteString;
import dev.tulle.common.pki.MeshTrust;
import dev.tulle.common.pki.ShownTrust;
import dev.tulle.common.pki.SpiffeId;
import dev.tulle.model.Caller;
import dev.tulle.xds.proto.tulle.JoinAnswer;
import dev.tulle.xds.proto.tulle.JoinRequest;
import io.grpc.CallOptions;
import io.grpc.ManagedChannel;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.ClientCalls;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.security.cert.CertificateEncodingException;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** A node's first word to the control plane: its token for a certificate. */
public final class NodeJoin {
    private static final Duration PATIENCE = Duration.ofSeconds(15);

    private NodeJoin() {}

    /**
     * Joins; blocks.
     *
     * @param host the control plane's name or address
     * @param csr PKCS #10 in DER for the key that the node keeps
     * @throws IOException with a sentence: who cannot be reached or believed, or why the node may not join
     */
    public static NodeAdmission.Decision.Joined join(String host, int port, JoinToken token, String node, byte[] csr)
            throws IOException {
        ManagedChannel channel = GrpcChannels.remote(host, port, ControlTls.stranger(new Pinned(token.root())));
        try {
            JoinAnswer answer = ClientCalls.blockingUnaryCall(
                    channel,
                    JoinMethod.JOIN,
                    CallOptions.DEFAULT.withDeadlineAfter(PATIENCE.toMillis(), TimeUnit.MILLISECONDS),
                    JoinRequest.newBuilder()
                            .setToken(token.text())
                            .setNodeId(node)
                            .setCsr(ByteString.copyFrom(csr))
                            .build());
            return new NodeAdmission.Decision.Joined(
                    certificates(answer.getChainList()), certificates(answer.getRootsList()));
        } catch (StatusRuntimeException e) {
            throw new IOException("joining " + host + ":" + port + ": " + GrpcChannels.reason(e), e);
        } catch (CertificateException e) {
            throw new IOException(
                    "joining " + host + ":" + port + ": its answer holds no certificates: " + e.getMessage(), e);
        } finally {
            channel.shutdownNow();
        }
    }

    private static List<X509Certificate> certificates(List<ByteString> encoded) throws CertificateException {
        List<X509Certificate> out = new ArrayList<>();
        CertificateFactory factory = CertificateFactory.getInstance("X.509");
        for (ByteString one : encoded) {
            out.add((X509Certificate) factory.generateCertificate(new ByteArrayInputStream(one.toByteArray())));
        }
        if (out.isEmpty()) {
            throw new CertificateException("none");
        }
        return out;
    }

    /** Believes the control plane whose chain ends at the root that the token names. */
    private static final class Pinned extends ShownTrust {
        private final String root;

        Pinned(String root) {
            this.root = root;
        }

        @Override
        protected void check(X509Certificate[] chain) throws CertificateException {
            List<X509Certificate> named =
                    Arrays.stream(chain).filter(this::isNamed).toList();
            if (named.isEmpty()) {
                throw new CertificateException(
                        "the control plane does not show the root that the token names: another mesh, or somebody between");
            }
            MeshTrust.check(chain, named, SpiffeId.control(Caller.TRUST_DOMAIN)::equals);
        }

        private boolean isNamed(X509Certificate certificate) {
            try {
                return JoinToken.digest(certificate.getEncoded()).equals(root);
            } catch (CertificateEncodingException e) {
                return false;
            }
        }
    }
}
