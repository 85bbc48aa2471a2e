package dev.tulle.xds;

import dev.tulle.xds.proto.istio.auth.IstioCertificateRequest;
import dev.tulle.xds.proto.istio.auth.IstioCertificateResponse;
import io.grpc.MethodDescriptor;
import io.grpc.MethodDescriptor.MethodType;
import io.grpc.protobuf.ProtoUtils;

/** The method of Istio's service of certificates. */
final class CertificateMethod {
    static final String SERVICE = "istio.v1.auth.IstioCertificateService";

    /** The field of a request's metadata that names whose certificate is asked for. */
    static final String IDENTITY = "ImpersonatedIdentity";

    static final MethodDescriptor<IstioCertificateRequest, IstioCertificateResponse> CREATE =
            MethodDescriptor.<IstioCertificateRequest, IstioCertificateResponse>newBuilder()
                    .setType(MethodType.UNARY)
                    .setFullMethodName(MethodDescriptor.generateFullMethodName(SERVICE, "CreateCertificate"))
                    .setRequestMarshaller(ProtoUtils.marshaller(IstioCertificateRequest.getDefaultInstance()))
                    .setResponseMarshaller(ProtoUtils.marshaller(IstioCertificateResponse.getDefaultInstance()))
                    .build();

    /** Bytes of a request: a key with some names, and the metadata. */
    static final int MAX_BYTES = 16 << 10;

    /** The same as the server serves it. */
    static final MethodDescriptor<Received<IstioCertificateRequest>, IstioCertificateResponse> SERVED_CREATE =
            Received.served(CREATE, MAX_BYTES, _ -> {});

    private CertificateMethod() {}
}
