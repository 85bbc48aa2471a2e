package dev.tulle.xds;

import dev.tulle.xds.proto.tulle.JoinAnswer;
import dev.tulle.xds.proto.tulle.JoinRequest;
import io.grpc.MethodDescriptor;
import io.grpc.MethodDescriptor.MethodType;
import io.grpc.protobuf.ProtoUtils;

/** The one method that a node without a certificate may call. */
final class JoinMethod {
    static final String SERVICE = "tulle.v1.NodeAdmission";

    /** Bytes of a request: a token, a name and a key. */
    static final int MAX_BYTES = 16 << 10;

    static final MethodDescriptor<JoinRequest, JoinAnswer> JOIN = MethodDescriptor.<JoinRequest, JoinAnswer>newBuilder()
            .setType(MethodType.UNARY)
            .setFullMethodName(MethodDescriptor.generateFullMethodName(SERVICE, "Join"))
            .setRequestMarshaller(ProtoUtils.marshaller(JoinRequest.getDefaultInstance()))
            .setResponseMarshaller(ProtoUtils.marshaller(JoinAnswer.getDefaultInstance()))
            .build();

    /** The same as the server serves it. */
    static final MethodDescriptor<Received<JoinRequest>, JoinAnswer> SERVED_JOIN =
            Received.served(JOIN, MAX_BYTES, _ -> {});

    private JoinMethod() {}
}
