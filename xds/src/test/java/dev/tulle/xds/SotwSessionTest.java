package dev.tulle.xds;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.model.Endpoint;
import dev.tulle.xds.proto.envoy.service.discovery.v3.DiscoveryRequest;
import dev.tulle.xds.proto.envoy.service.discovery.v3.DiscoveryResponse;
import dev.tulle.xds.proto.envoy.service.discovery.v3.Status;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** The table of the state-of-the-world protocol, line by line, against the server's half without a transport. */
class SotwSessionTest {
    private static final String CDS = ResourceType.CLUSTER.typeUrl();
    private static final String EDS = ResourceType.ENDPOINTS.typeUrl();
    private static final String LDS = ResourceType.LISTENER.typeUrl();
    private static final String RDS = ResourceType.ROUTE.typeUrl();

    private final TestMesh mesh = new TestMesh();
    private final List<DiscoveryResponse> sent = new ArrayList<>();
    private ResourceSnapshot snapshot = ResourceSnapshot.NONE;
    private SotwSession session = newSession();

    @Test
    void nothingIsSentBeforeTheFirstSnapshot() {
        first(CDS, "");
        assertTrue(sent.isEmpty());
        update();
        assertEquals(0, take().getResourcesCount(), "all there is: nothing");
    }

    @Test
    void aRequestWithoutNamesGetsAllAndAChangeSendsAllAgain() {
        mesh.cluster("a", "", Duration.ofSeconds(1));
        mesh.cluster("b", "", Duration.ofSeconds(1));
        update();
        first(CDS, "");
        DiscoveryResponse all = take();
        assertEquals(2, all.getResourcesCount());
        ack(all);
        assertTrue(sent.isEmpty());
        mesh.clusters.remove("outbound|9080||a");
        update();
        assertEquals(1, take().getResourcesCount(), "what is missing in the whole is gone");
    }

    @Test
    void namesGetWhatExistsOfThem() {
        mesh.route("a", "");
        update();
        first(RDS, "", "a:9080", "b:9080");
        DiscoveryResponse one = take();
        assertEquals(1, one.getResourcesCount());
        ack(one, "a:9080", "b:9080");
        assertTrue(sent.isEmpty());
        mesh.route("b", "");
        update();
        DiscoveryResponse both = take();
        assertEquals(2, both.getResourcesCount());
        ack(both, "b:9080");
        assertEquals(1, take().getResourcesCount(), "an answer may change the names");
    }

    @Test
    void missingNamesAreNotAnswered() {
        update();
        first(EDS, "", "outbound|9080||a");
        assertTrue(sent.isEmpty());
        assertTrue(session.isSynced(snapshot.number()));
        mesh.endpoints("a", "", new Endpoint("100.64.0.1", 80, 1, true, "", ""));
        update();
        assertEquals(1, take().getResourcesCount());
    }

    @Test
    void oneResponseWaitsAndWhatChangesMeanwhileGoesWithTheNext() {
        mesh.route("a", "");
        update();
        first(RDS, "", "a:9080");
        DiscoveryResponse waiting = take();
        for (int i = 0; i < 10; i++) {
            mesh.route("a", "v" + i);
            update();
        }
        assertTrue(sent.isEmpty());
        assertFalse(session.isSynced(snapshot.number()));
        ack(waiting, "a:9080");
        DiscoveryResponse newest = take();
        ack(newest, "a:9080");
        assertTrue(session.isSynced(snapshot.number()));
    }

    @Test
    void aRefusalIsKeptAndTheSameIsNotSentAgain() {
        mesh.route("a", "");
        update();
        first(RDS, "", "a:9080");
        DiscoveryResponse bad = take();
        session.onRequest(DiscoveryRequest.newBuilder()
                .setTypeUrl(RDS)
                .setResponseNonce(bad.getNonce())
                .addResourceNames("a:9080")
                .setErrorDetail(Status.newBuilder().setMessage("bad regex"))
                .build());
        assertTrue(sent.isEmpty());
        XdsClientState.TypeState type =
                session.state("test", Instant.EPOCH).types().getFirst();
        assertEquals(1, type.nacked());
        assertEquals("bad regex", type.lastRejection());
        mesh.route("a", "v1");
        update();
        ack(take(), "a:9080");
        assertEquals(1, session.state("test", Instant.EPOCH).types().getFirst().acked());
    }

    @Test
    void aStaleNonceIsNotAnswered() {
        mesh.route("a", "");
        mesh.route("b", "");
        update();
        first(RDS, "", "a:9080");
        DiscoveryResponse old = take();
        ack(old, "a:9080");
        mesh.route("a", "v1");
        update();
        DiscoveryResponse current = take();
        ack(old, "a:9080", "b:9080");
        assertTrue(sent.isEmpty());
        ack(current, "a:9080", "b:9080");
        assertEquals(2, take().getResourcesCount());
    }

    @Test
    void aReconnectWithTheCurrentVersionGetsNothing() {
        mesh.listener("127.0.0.9", 80, "a");
        update();
        first(LDS, "");
        DiscoveryResponse all = take();
        ack(all);
        snapshot = ResourceSnapshot.NONE.next(mesh.state());
        session = newSession();
        session.update(snapshot);
        first(LDS, all.getVersionInfo());
        assertTrue(sent.isEmpty());
        mesh.listener("127.0.0.9", 80, "b");
        update();
        assertEquals(1, take().getResourcesCount());
    }

    @Test
    void namesThatWereGivenAndTakenBackAreNotTheWildcard() {
        mesh.listener("127.0.0.9", 80, "a");
        mesh.listener("127.0.0.10", 80, "b");
        update();
        first(LDS, "", "127.0.0.9_80");
        ack(take());
        assertEquals(0, take().getResourcesCount());
    }

    @Test
    void aRequestWithoutATypeEndsTheStream() {
        assertThrows(IllegalArgumentException.class, () -> first("", ""));
    }

    private SotwSession newSession() {
        return new SotwSession(new ResponseOutput<>() {
            @Override
            public boolean isReady() {
                return true;
            }

            @Override
            public void send(String typeUrl, DiscoveryResponse response) {
                sent.add(response);
            }
        });
    }

    private void update() {
        snapshot = snapshot.next(mesh.state());
        session.update(snapshot);
    }

    private void first(String typeUrl, String version, String... names) {
        session.onRequest(DiscoveryRequest.newBuilder()
                .setTypeUrl(typeUrl)
                .setVersionInfo(version)
                .addAllResourceNames(List.of(names))
                .build());
    }

    private void ack(DiscoveryResponse response, String... names) {
        session.onRequest(DiscoveryRequest.newBuilder()
                .setTypeUrl(response.getTypeUrl())
                .setVersionInfo(response.getVersionInfo())
                .setResponseNonce(response.getNonce())
                .addAllResourceNames(List.of(names))
                .build());
    }

    private DiscoveryResponse take() {
        assertEquals(1, sent.size(), sent.toString());
        return sent.removeFirst();
    }
}
