package dev.tulle.xds;

import com.google.protobuf.InvalidProtocolBufferException;
import dev.tulle.it.fuzz.Cost;
import dev.tulle.model.AppProtocol;
import dev.tulle.model.Locality;
import dev.tulle.model.Workload.WorkloadPort;
import dev.tulle.xds.proto.tulle.Health;
import dev.tulle.xds.proto.tulle.Hello;
import dev.tulle.xds.proto.tulle.NodeMessage;
import java.util.List;
import java.util.Map;

/** What a node says on the registration stream: refused as an invalid argument, or a workload that is the same when told on. */
public final class NodeMessageFuzz {
    private NodeMessageFuzz() {}

    /** One message. */
    public static void fuzzerTestOneInput(byte[] data) {
        Cost.within(data.length, 200_000, 1_000, () -> check(data));
    }

    private static void check(byte[] data) {
        NodeMessage message;
        try {
            message = NodeMessage.parseFrom(data);
        } catch (InvalidProtocolBufferException e) {
            return;
        }
        switch (message.getKindCase()) {
            case HELLO -> {
                try {
                    Locality locality = Locality.parse(message.getHello().getLocality());
                    Cost.must(Locality.parse(locality.toString()).equals(locality), "another place: " + locality);
                } catch (IllegalArgumentException e) {
                    Cost.must(e.getMessage() != null, "a refusal without a word");
                }
            }
            case REGISTER -> {
                WorkloadRegistration workload;
                try {
                    workload = RegistrationMethod.decode(message.getRegister());
                } catch (IllegalArgumentException e) {
                    Cost.must(e.getMessage() != null, "a refusal without a word");
                    return;
                }
                Cost.must(
                        RegistrationMethod.decode(RegistrationMethod.encode(workload))
                                .equals(workload),
                        "another workload: " + workload);
                Cost.must(!workload.uid("node").isEmpty(), "no uid");
            }
            default -> {}
        }
    }

    /** One message of each kind. */
    public static List<byte[]> seeds() {
        return List.of(
                NodeMessage.newBuilder()
                        .setHello(Hello.newBuilder()
                                .setNodeId("node-1")
                                .setWantedPrefix("100.64.0.0/24")
                                .setLocality("eu/zone-1/rack"))
                        .build()
                        .toByteArray(),
                NodeMessage.newBuilder()
                        .setRegister(RegistrationMethod.encode(new WorkloadRegistration(
                                "reviews-1",
                                "default",
                                "default",
                                List.of("100.64.0.7"),
                                Map.of("app", "reviews"),
                                List.of("reviews"),
                                List.of(new WorkloadPort(9080, AppProtocol.HTTP)),
                                true)))
                        .build()
                        .toByteArray(),
                NodeMessage.newBuilder()
                        .setHealth(Health.newBuilder()
                                .setUid("node-1/default/reviews-1")
                                .setHealthy(true))
                        .build()
                        .toByteArray());
    }
}
