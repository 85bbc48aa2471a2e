package dev.tulle.xds;

import dev.tulle.model.Workload;
import dev.tulle.xds.proto.tulle.ControlMessage;
import dev.tulle.xds.proto.tulle.NodeMessage;
import dev.tulle.xds.proto.tulle.Register;
import dev.tulle.xds.proto.tulle.WorkloadPort;
import io.grpc.MethodDescriptor;
import io.grpc.MethodDescriptor.MethodType;
import io.grpc.protobuf.ProtoUtils;
import java.time.Duration;
import java.util.List;

/** What both halves of the registration stream share: the method, its rhythm, its records. */
final class RegistrationMethod {
    static final String SERVICE = "tulle.v1.NodeRegistration";

    static final MethodDescriptor<NodeMessage, ControlMessage> SESSION =
            MethodDescriptor.<NodeMessage, ControlMessage>newBuilder()
                    .setType(MethodType.BIDI_STREAMING)
                    .setFullMethodName(MethodDescriptor.generateFullMethodName(SERVICE, "Session"))
                    .setRequestMarshaller(ProtoUtils.marshaller(NodeMessage.getDefaultInstance()))
                    .setResponseMarshaller(ProtoUtils.marshaller(ControlMessage.getDefaultInstance()))
                    .build();

    /** The same as the server serves it. */
    static final MethodDescriptor<Received<NodeMessage>, ControlMessage> SERVED_SESSION =
            Received.served(SESSION, RequestLimits.MAX_BYTES, _ -> {});

    /** How often the node shows that it is alive. */
    static final Duration HEARTBEAT = Duration.ofSeconds(5);

    /** A stream without a message for this long is closed by either half. */
    static final Duration SILENCE = Duration.ofSeconds(15);

    private RegistrationMethod() {}

    static Register encode(WorkloadRegistration workload) {
        Register.Builder out = Register.newBuilder()
                .setName(workload.name())
                .setNamespace(workload.namespace())
                .setServiceAccount(workload.serviceAccount())
                .addAllAddresses(workload.addresses())
                .putAllLabels(workload.labels())
                .addAllServices(workload.services())
                .setHealthy(workload.healthy());
        for (Workload.WorkloadPort port : workload.ports()) {
            out.addPorts(WorkloadPort.newBuilder()
                    .setNumber(port.number())
                    .setProtocol(port.protocol().name()));
        }
        return out.build();
    }

    /**
     * Reads an announcement.
     *
     * @throws IllegalArgumentException when it names an unknown protocol
     */
    static WorkloadRegistration decode(Register register) {
        return new WorkloadRegistration(
                register.getName(),
                register.getNamespace(),
                register.getServiceAccount(),
                List.copyOf(register.getAddressesList()),
                register.getLabelsMap(),
                List.copyOf(register.getServicesList()),
                AddressCodec.ports(register.getPortsList()),
                register.getHealthy());
    }
}
