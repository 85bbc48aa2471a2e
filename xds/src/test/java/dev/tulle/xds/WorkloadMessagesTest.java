package dev.tulle.xds;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.protobuf.Descriptors.Descriptor;
import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.Message;
import io.grpc.MethodDescriptor;
import io.spiffe.workloadapi.grpc.SpiffeWorkloadAPIGrpc;
import io.spiffe.workloadapi.grpc.Workload;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

/** Our own definition of the Workload API against the one that java-spiffe publishes: the same methods, messages and fields. */
class WorkloadMessagesTest {
    private static final List<MethodDescriptor<?, ?>> OURS = List.of(
            WorkloadMethod.X509_SVID,
            WorkloadMethod.X509_BUNDLES,
            WorkloadMethod.JWT_SVID,
            WorkloadMethod.JWT_BUNDLES,
            WorkloadMethod.VALIDATE_JWT);

    @Test
    void theMethodsAreTheSame() {
        // Of the standard's newer draft of another kind of token there is nothing here.
        Set<String> theirs = SpiffeWorkloadAPIGrpc.getServiceDescriptor().getMethods().stream()
                .filter(method -> !method.getFullMethodName().contains("WIT"))
                .map(WorkloadMessagesTest::shape)
                .collect(Collectors.toCollection(TreeSet::new));
        Set<String> ours =
                OURS.stream().map(WorkloadMessagesTest::shape).collect(Collectors.toCollection(TreeSet::new));
        assertEquals(theirs, ours);
    }

    private static String shape(MethodDescriptor<?, ?> method) {
        return method.getFullMethodName() + " " + method.getType();
    }

    @Test
    void eachMessageHasTheSameFields() {
        int compared = 0;
        for (Descriptor ours :
                dev.tulle.xds.proto.spiffe.X509SVID.getDescriptor().getFile().getMessageTypes()) {
            Descriptor theirs = Workload.getDescriptor().findMessageTypeByName(ours.getName());
            assertTrue(theirs != null, ours.getName());
            assertEquals(fields(theirs), fields(ours), ours.getName());
            compared++;
        }
        assertEquals(12, compared);
    }

    private static Set<String> fields(Descriptor message) {
        return message.getFields().stream()
                .map(WorkloadMessagesTest::field)
                .collect(Collectors.toCollection(TreeSet::new));
    }

    private static String field(FieldDescriptor field) {
        return field.getNumber() + " " + field.getName() + " " + field.getType() + " " + field.isRepeated();
    }

    @Test
    void whatWeWriteTheyRead() throws Exception {
        Message ours = dev.tulle.xds.proto.spiffe.X509SVIDResponse.newBuilder()
                .addSvids(dev.tulle
                        .xds
                        .proto
                        .spiffe
                        .X509SVID
                        .newBuilder()
                        .setSpiffeId("spiffe://td/a")
                        .setHint("h"))
                .build();
        Workload.X509SVIDResponse theirs = Workload.X509SVIDResponse.parseFrom(ours.toByteString());
        assertEquals("spiffe://td/a", theirs.getSvids(0).getSpiffeId());
        assertEquals(ours.toByteString(), theirs.toByteString());
    }
}
