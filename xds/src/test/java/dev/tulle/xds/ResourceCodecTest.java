package dev.tulle.xds;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.protobuf.Any;
import com.google.protobuf.ByteString;
import dev.tulle.model.AppProtocol;
import dev.tulle.model.PortPath;
import dev.tulle.model.ResourceRef;
import dev.tulle.model.RouteMatch;
import dev.tulle.model.Service;
import dev.tulle.model.ServicePort;
import dev.tulle.model.StringMatch;
import dev.tulle.model.Workload;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** What is encoded decodes to an equal value; the bytes are those that other implementations expect. */
class ResourceCodecTest {
    private static final int ROUNDS = 400;

    @Test
    void everyTypeSurvivesTheRoundTrip() throws InvalidResourceException {
        RandomModel model = new RandomModel(20260101);
        for (int i = 0; i < ROUNDS; i++) {
            roundTrip(ResourceType.CLUSTER, model.cluster());
            roundTrip(ResourceType.ENDPOINTS, model.endpoints());
            roundTrip(ResourceType.LISTENER, model.listener());
            roundTrip(ResourceType.ROUTE, model.routes());
            roundTrip(ResourceType.SERVICE, model.service());
            roundTrip(ResourceType.WORKLOAD, model.workload());
            roundTrip(ResourceType.AUTHORIZATION, model.policy());
            roundTrip(ResourceType.SECRET, model.certificate());
            roundTrip(ResourceType.SECRET, model.roots());
        }
    }

    @Test
    void damagedBytesAreRefusedAndNothingElseEscapes() {
        RandomModel model = new RandomModel(7);
        java.util.Random random = new java.util.Random(7);
        for (int i = 0; i < ROUNDS; i++) {
            Any any = ResourceCodec.encode(model.routes());
            byte[] bytes = any.getValue().toByteArray();
            if (bytes.length > 0) {
                bytes[random.nextInt(bytes.length)] ^= (byte) (1 + random.nextInt(255));
            }
            Any damaged = any.toBuilder().setValue(ByteString.copyFrom(bytes)).build();
            try {
                Object value = ResourceCodec.decode(any.getTypeUrl(), damaged);
                assertTrue(value instanceof dev.tulle.model.RouteConfiguration);
            } catch (InvalidResourceException e) {
                assertTrue(e.getMessage() != null && !e.getMessage().isEmpty());
            }
        }
    }

    @Test
    void anotherTypeIsRefusedByName() {
        Any cluster = ResourceCodec.encode(new RandomModel(1).cluster());
        InvalidResourceException refusal = assertThrows(
                InvalidResourceException.class, () -> ResourceCodec.decode(ResourceType.ROUTE.typeUrl(), cluster));
        assertTrue(String.valueOf(refusal.getMessage()).contains("expected " + ResourceType.ROUTE.typeUrl()));
    }

    @Test
    void whatTheProtocolCannotSayIsRefused() {
        RouteMatch match = new RouteMatch(
                new RouteMatch.PathMatch.Prefix("/"),
                false,
                java.util.Optional.empty(),
                List.of(),
                List.of(new RouteMatch.Named("q", new StringMatch.Exact("1"), true)));
        assertThrows(IllegalArgumentException.class, () -> RouteMatchCodec.encode(match));
    }

    /**
     * The fields of istio.workload.Workload by upstream number, written out by hand: 1 name, 2 namespace, 3 address bytes,
     * 7 service account, 9 node, 10 canonical name, 11 canonical revision, 12 type, 13 workload name, 20 uid.
     */
    @Test
    void aWorkloadHasTheUpstreamBytes() {
        Workload workload = new Workload(
                "n/d/r",
                "r",
                "d",
                "s",
                "n",
                List.of("100.64.0.2"),
                Map.of(),
                List.of(),
                List.of(),
                true,
                ResourceRef.DEFAULT);
        String expected = "0a017212" // 1: "r"; tag of 2
                + "01641a04" // "d"; 3: 4 bytes
                + "644000023a01734a016e" // 100.64.0.2; 7: "s"; 9: "n"
                + "5201725a066c6174657374" // 10: "r"; 11: "latest"
                + "60026a0172" // 12: POD; 13: "r"
                + "a201056e2f642f72"; // 20: "n/d/r"
        String workloadHex = HexFormat.of()
                .formatHex(AddressCodec.encode(workload).getWorkload().toByteArray());
        assertTrue(workloadHex.startsWith(expected), workloadHex);
        // 26: our extension, which others skip
        assertEquals("d201", workloadHex.substring(expected.length(), expected.length() + 4));
        byte[] address = AddressCodec.encode(workload).toByteArray();
        assertEquals(0x0a, address[0], "a workload is field 1 of an Address");
    }

    /** istio.workload.Service: 1 name, 2 namespace, 3 hostname, 4 addresses {2 bytes}, 5 ports {1, 2, 3}, 10 extension. */
    @Test
    void aServiceHasTheUpstreamBytes() {
        Service service = new Service(
                "d",
                "r.d",
                List.of("240.240.0.1"),
                List.of(new ServicePort(80, 8080, AppProtocol.HTTP, "web")),
                ResourceRef.DEFAULT,
                List.of(new PortPath(80, PortPath.Path.PROXY, "routes")));
        String expected = "0a0172120164" + "1a03722e64" // 1: "r"; 2: "d"; 3: "r.d"
                + "2206" + "1204f0f00001" // 4: {2: 240.240.0.1}
                + "2a07" + "085010903f1801" // 5: {1: 80, 2: 8080, 3: HTTP11}
                + "52"; // 10: extension
        String hex = HexFormat.of()
                .formatHex(AddressCodec.encode(service).getService().toByteArray());
        assertTrue(hex.startsWith(expected), hex);
        assertEquals(0x12, AddressCodec.encode(service).toByteArray()[0], "a service is field 2 of an Address");
    }

    @Test
    void addressesKeepTheirShortForm() {
        for (String text : List.of("1.2.3.4", "::", "::1", "fd00::1", "2001:db8:0:1:1:1:1:1", "1::2:0:0:3", "fe80::")) {
            assertEquals(text, AddressText.text(AddressText.bytes(text)));
        }
        assertThrows(IllegalArgumentException.class, () -> AddressText.bytes("localhost"));
    }

    private static <T> void roundTrip(ResourceType<T> type, T value) throws InvalidResourceException {
        Any any = ResourceCodec.encode(value);
        assertEquals(value, ResourceCodec.decode(type.typeUrl(), any));
        assertEquals(any, ResourceCodec.encode(value), "equal values have equal bytes");
    }
}
