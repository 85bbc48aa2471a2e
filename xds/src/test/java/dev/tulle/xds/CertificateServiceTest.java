package dev.tulle.xds;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.protobuf.Struct;
import com.google.protobuf.Value;
import dev.tulle.common.LocalRefusals;
import dev.tulle.common.OwnerThread;
import dev.tulle.common.SocketAccess;
import dev.tulle.xds.CertificateIssuer.Answer;
import dev.tulle.xds.CertificateIssuer.Why;
import dev.tulle.xds.proto.istio.auth.IstioCertificateRequest;
import dev.tulle.xds.proto.istio.auth.IstioCertificateResponse;
import io.grpc.CallOptions;
import io.grpc.ManagedChannel;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.ClientCalls;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Istio's service of certificates over a socket: who may ask, what is asked, how refusals arrive. */
class CertificateServiceTest {
    private static final String WANTED = "spiffe://cluster.local/ns/default/sa/reviews";

    @TempDir
    private Path folder;

    private final OwnerThread owner = new OwnerThread("certificate-service");
    private final LocalRefusals refusals = new LocalRefusals();
    private final Issuer issuer = new Issuer();
    private Optional<XdsServer> server = Optional.empty();

    /** Notes what it is asked. */
    private static final class Issuer implements CertificateIssuer {
        private final List<String> asked = new CopyOnWriteArrayList<>();
        private volatile Answer answer = new Answer.Issued(List.of("leaf", "intermediate", "roots"));

        @Override
        public Answer create(Asker asker, String csr, Duration life, String identity) {
            asked.add(asker + " " + csr + " " + life + " " + identity);
            return answer;
        }
    }

    @BeforeEach
    void serve() throws IOException {
        Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString("rwxrwxrwx"));
        server = Optional.of(XdsServer.start(
                new XdsServerOptions(socket(), SocketAccess.user(ServedMesh.PROXY), refusals),
                owner,
                new FakeRegistry(),
                Optional.of(issuer)));
    }

    @AfterEach
    void close() {
        server.ifPresent(XdsServer::close);
        owner.close();
    }

    private Path socket() {
        return folder.resolve("xds.sock");
    }

    /** Messages as bytes: nothing of the protocol is read or written by our own classes. */
    private static final MethodDescriptor.Marshaller<byte[]> BYTES = new MethodDescriptor.Marshaller<>() {
        @Override
        public InputStream stream(byte[] message) {
            return new ByteArrayInputStream(message);
        }

        @Override
        public byte[] parse(InputStream stream) {
            try {
                return stream.readAllBytes();
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
    };

    private static byte[] call(Path socket, byte[] request) {
        ManagedChannel channel = GrpcChannels.open(socket);
        try {
            return ClientCalls.blockingUnaryCall(
                    channel,
                    MethodDescriptor.<byte[], byte[]>newBuilder()
                            .setType(MethodDescriptor.MethodType.UNARY)
                            .setFullMethodName("istio.v1.auth.IstioCertificateService/CreateCertificate")
                            .setRequestMarshaller(BYTES)
                            .setResponseMarshaller(BYTES)
                            .build(),
                    CallOptions.DEFAULT.withDeadlineAfter(30, TimeUnit.SECONDS),
                    request);
        } finally {
            channel.shutdownNow();
        }
    }

    private static Status refusal(Path socket, byte[] request) {
        return assertThrows(StatusRuntimeException.class, () -> call(socket, request))
                .getStatus();
    }

    private static byte[] request(String csr, long seconds, String identity) throws IOException {
        return IstioCertificateRequest.newBuilder()
                .setCsr(csr)
                .setValidityDuration(seconds)
                .setMetadata(Struct.newBuilder()
                        .putFields(
                                "ImpersonatedIdentity",
                                Value.newBuilder().setStringValue(identity).build()))
                .build()
                .toByteArray();
    }

    /**
     * What ztunnel sends, by the numbers of Istio's ca.proto and protobuf's struct.proto: csr 1, validity_duration 3,
     * metadata 4 with fields 1 of key 1 and value 2, whose string_value is 3.
     */
    @Test
    void takesTheBytesOfIstiosClients() throws IOException {
        byte[] golden = HexFormat.of()
                .parseHex("0a03" + hex("CSR") + "1880a305" + "22480a460a14" + hex("ImpersonatedIdentity") + "122e1a2c"
                        + hex(WANTED));
        byte[] answer = call(socket(), golden);
        assertEquals(List.of("root of this host CSR PT24H " + WANTED), issuer.asked);
        // cert_chain is 1, repeated.
        assertEquals(
                "0a04" + hex("leaf") + "0a0c" + hex("intermediate") + "0a05" + hex("roots"),
                HexFormat.of().formatHex(answer));
    }

    private static String hex(String text) {
        return HexFormat.of().formatHex(text.getBytes(StandardCharsets.UTF_8));
    }

    @Test
    void whatIsLeftOutIsTheAskersOwn() throws IOException {
        call(
                socket(),
                IstioCertificateRequest.newBuilder().setCsr("CSR").build().toByteArray());
        call(socket(), request("CSR", -5, WANTED));
        assertEquals(List.of("root of this host CSR PT0S ", "root of this host CSR PT0S " + WANTED), issuer.asked);
    }

    @Test
    void theProxysUserGetsNone() throws Exception {
        try (AsUser proxy = new AsUser(socket(), folder.resolve("relay"), ServedMesh.PROXY, ServedMesh.PROXY)) {
            Status refused = refusal(proxy.socket(), request("CSR", 0, WANTED));
            assertEquals(Status.Code.PERMISSION_DENIED, refused.getCode());
            assertTrue(
                    String.valueOf(refused.getDescription())
                            .contains("asks for a certificate, expected root of this host or the agent of a node"),
                    refused.toString());
        }
        assertEquals(List.of(), issuer.asked);
    }

    @Test
    void refusalsArriveWithTheirSentence() throws IOException {
        List<Status.Code> codes = new ArrayList<>();
        for (Why why : Why.values()) {
            issuer.answer = new Answer.Refused(why, "because of " + why);
            Status refused = refusal(socket(), request("CSR", 0, WANTED));
            assertEquals("because of " + why, refused.getDescription());
            codes.add(refused.getCode());
        }
        assertEquals(
                List.of(
                        Status.Code.INVALID_ARGUMENT,
                        Status.Code.PERMISSION_DENIED,
                        Status.Code.RESOURCE_EXHAUSTED,
                        Status.Code.UNAVAILABLE),
                codes);
    }

    @Test
    void whatIsTooLargeOrNoMessageIsRefused() throws IOException {
        Status large = refusal(socket(), request("x".repeat(CertificateMethod.MAX_BYTES), 0, WANTED));
        assertEquals(Status.Code.RESOURCE_EXHAUSTED, large.getCode());
        Status broken = refusal(socket(), new byte[] {(byte) 0x0a, 100});
        assertEquals(Status.Code.INVALID_ARGUMENT, broken.getCode());
        assertEquals(List.of(), issuer.asked);
    }

    @Test
    void anAnswerIsReadByOurOwnClientToo() throws IOException {
        byte[] answer = call(socket(), request("CSR", 0, WANTED));
        assertEquals(
                List.of("leaf", "intermediate", "roots"),
                List.copyOf(IstioCertificateResponse.parseFrom(answer).getCertChainList()));
    }
}
