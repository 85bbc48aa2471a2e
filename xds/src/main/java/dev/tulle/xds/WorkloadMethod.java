package dev.tulle.xds;

import com.google.protobuf.Message;
import dev.tulle.xds.proto.spiffe.JWTBundlesRequest;
import dev.tulle.xds.proto.spiffe.JWTBundlesResponse;
import dev.tulle.xds.proto.spiffe.JWTSVIDRequest;
import dev.tulle.xds.proto.spiffe.JWTSVIDResponse;
import dev.tulle.xds.proto.spiffe.ValidateJWTSVIDRequest;
import dev.tulle.xds.proto.spiffe.ValidateJWTSVIDResponse;
import dev.tulle.xds.proto.spiffe.X509BundlesRequest;
import dev.tulle.xds.proto.spiffe.X509BundlesResponse;
import dev.tulle.xds.proto.spiffe.X509SVIDRequest;
import dev.tulle.xds.proto.spiffe.X509SVIDResponse;
import io.grpc.MethodDescriptor;
import io.grpc.MethodDescriptor.MethodType;
import io.grpc.protobuf.ProtoUtils;

/** The methods of SPIFFE's Workload API; its service is in no package. */
final class WorkloadMethod {
    static final String SERVICE = "SpiffeWorkloadAPI";

    static final MethodDescriptor<X509SVIDRequest, X509SVIDResponse> X509_SVID = method(
            "FetchX509SVID",
            MethodType.SERVER_STREAMING,
            X509SVIDRequest.getDefaultInstance(),
            X509SVIDResponse.getDefaultInstance());

    static final MethodDescriptor<X509BundlesRequest, X509BundlesResponse> X509_BUNDLES = method(
            "FetchX509Bundles",
            MethodType.SERVER_STREAMING,
            X509BundlesRequest.getDefaultInstance(),
            X509BundlesResponse.getDefaultInstance());

    static final MethodDescriptor<JWTSVIDRequest, JWTSVIDResponse> JWT_SVID = method(
            "FetchJWTSVID",
            MethodType.UNARY,
            JWTSVIDRequest.getDefaultInstance(),
            JWTSVIDResponse.getDefaultInstance());

    static final MethodDescriptor<JWTBundlesRequest, JWTBundlesResponse> JWT_BUNDLES = method(
            "FetchJWTBundles",
            MethodType.SERVER_STREAMING,
            JWTBundlesRequest.getDefaultInstance(),
            JWTBundlesResponse.getDefaultInstance());

    static final MethodDescriptor<ValidateJWTSVIDRequest, ValidateJWTSVIDResponse> VALIDATE_JWT = method(
            "ValidateJWTSVID",
            MethodType.UNARY,
            ValidateJWTSVIDRequest.getDefaultInstance(),
            ValidateJWTSVIDResponse.getDefaultInstance());

    private WorkloadMethod() {}

    private static <Q extends Message, P extends Message> MethodDescriptor<Q, P> method(
            String name, MethodType type, Q request, P response) {
        return MethodDescriptor.<Q, P>newBuilder()
                .setType(type)
                .setFullMethodName(MethodDescriptor.generateFullMethodName(SERVICE, name))
                .setRequestMarshaller(ProtoUtils.marshaller(request))
                .setResponseMarshaller(ProtoUtils.marshaller(response))
                .build();
    }
}
