package dev.tulle.xds;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.model.Endpoint;
import dev.tulle.xds.proto.envoy.service.discovery.v3.DeltaDiscoveryRequest;
import dev.tulle.xds.proto.envoy.service.discovery.v3.DeltaDiscoveryResponse;
import dev.tulle.xds.proto.envoy.service.discovery.v3.Resource;
import dev.tulle.xds.proto.envoy.service.discovery.v3.Status;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;

/** The table of the delta protocol, line by line, against the server's half without a transport. */
class DeltaSessionTest {
    private static final String CDS = ResourceType.CLUSTER.typeUrl();
    private static final String EDS = ResourceType.ENDPOINTS.typeUrl();
    private static final String LDS = ResourceType.LISTENER.typeUrl();
    private static final String RDS = ResourceType.ROUTE.typeUrl();
    private static final String WDS = ResourceType.ADDRESS_URL;

    private final TestMesh mesh = new TestMesh();
    private final List<DeltaDiscoveryResponse> sent = new ArrayList<>();
    private ResourceSnapshot snapshot = ResourceSnapshot.NONE;
    private boolean ready = true;
    private DeltaSession session = newSession();

    @Test
    void nothingIsSentBeforeTheFirstSnapshot() {
        request(CDS, "*");
        request(RDS, "a:9080");
        assertTrue(sent.isEmpty());
        mesh.cluster("a", "", Duration.ofSeconds(1));
        update();
        assertEquals(Set.of("outbound|9080||a"), names(take(CDS)));
        assertEquals(List.of("a:9080"), take(RDS).getRemovedResourcesList());
    }

    @Test
    void aWildcardGetsEverythingAndThenOnlyWhatChanges() {
        mesh.cluster("a", "", Duration.ofSeconds(1));
        mesh.cluster("b", "", Duration.ofSeconds(1));
        update();
        request(CDS, "*");
        DeltaDiscoveryResponse first = take(CDS);
        assertEquals(2, first.getResourcesCount());
        ack(first);
        mesh.cluster("b", "", Duration.ofSeconds(2));
        update();
        assertEquals(Set.of("outbound|9080||b"), names(take(CDS)));
        mesh.clusters.remove("outbound|9080||a");
        update();
        assertEquals(List.of("outbound|9080||a"), take(CDS).getRemovedResourcesList());
        update();
        assertTrue(sent.isEmpty(), "an unchanged snapshot sends nothing");
    }

    @Test
    void aWildcardOfNothingIsAnsweredOnce() {
        update();
        request(LDS, "*");
        assertEquals(0, take(LDS).getResourcesCount());
        update();
        assertTrue(sent.isEmpty());
    }

    @Test
    void aFirstRequestWithoutNamesIsTheOldWildcard() {
        mesh.listener("127.0.0.9", 80, "a");
        update();
        request(LDS);
        assertEquals(Set.of("127.0.0.9_80"), names(take(LDS)));
    }

    @Test
    void namesGetWhatTheyNameAndNothingElse() {
        mesh.route("a", "");
        mesh.route("b", "");
        update();
        request(RDS, "a:9080");
        assertEquals(Set.of("a:9080"), names(take(RDS)));
        mesh.route("b", "v1");
        update();
        assertTrue(sent.isEmpty());
        request(RDS, "b:9080");
        assertEquals(Set.of("b:9080"), names(take(RDS)));
    }

    @Test
    void aMissingNameIsAnsweredAtOnceAndSentWhenItAppears() {
        update();
        request(WDS, "/240.240.0.9");
        assertEquals(List.of("/240.240.0.9"), take(WDS).getRemovedResourcesList());
        update();
        assertTrue(sent.isEmpty(), "it is said once");
        mesh.service("a", "240.240.0.9");
        update();
        DeltaDiscoveryResponse found = take(WDS);
        assertEquals("default/a", found.getResources(0).getName());
        assertEquals(List.of("/240.240.0.9"), found.getResources(0).getAliasesList());
        mesh.services.clear();
        update();
        assertEquals(List.of("/240.240.0.9"), take(WDS).getRemovedResourcesList());
    }

    @Test
    void anAliasThatMovesFollowsItsNewOwner() {
        mesh.service("a", "240.240.0.1");
        mesh.service("b", "240.240.0.2");
        update();
        request(WDS, "/240.240.0.1", "default/a");
        assertEquals(Set.of("default/a"), names(take(WDS)));
        mesh.service("a", "240.240.0.2");
        mesh.service("b", "240.240.0.1");
        update();
        assertEquals(Set.of("default/a", "default/b"), names(take(WDS)));
        update();
        assertTrue(sent.isEmpty());
        assertTrue(state().types().getFirst().pending() > 0);
    }

    @Test
    void ztunnelsFirstRequestMeansNothingYet() {
        mesh.service("a", "240.240.0.1");
        update();
        session.onRequest(DeltaDiscoveryRequest.newBuilder()
                .setTypeUrl(WDS)
                .addResourceNamesSubscribe("*")
                .addResourceNamesUnsubscribe("*")
                .build());
        assertTrue(sent.isEmpty());
        request(WDS, "default/a");
        assertEquals(Set.of("default/a"), names(take(WDS)));
    }

    @Test
    void unsubscribingTheLastNameIsNotTheWildcard() {
        mesh.listener("127.0.0.9", 80, "a");
        mesh.listener("127.0.0.10", 80, "b");
        update();
        request(LDS, "127.0.0.9_80");
        ack(take(LDS));
        session.onRequest(DeltaDiscoveryRequest.newBuilder()
                .setTypeUrl(LDS)
                .addResourceNamesUnsubscribe("127.0.0.9_80")
                .build());
        mesh.listener("127.0.0.9", 80, "c");
        update();
        assertTrue(sent.isEmpty());
    }

    @Test
    void askingAgainIsAnsweredAgain() {
        mesh.route("a", "");
        update();
        request(RDS, "a:9080");
        ack(take(RDS));
        request(RDS, "a:9080");
        assertEquals(Set.of("a:9080"), names(take(RDS)));
    }

    @Test
    void acksAndNacksAreKeptApartAndStaleOnesDoNothing() {
        mesh.route("a", "");
        update();
        request(RDS, "a:9080");
        DeltaDiscoveryResponse first = take(RDS);
        assertFalse(session.isSynced(snapshot.number()));
        session.onRequest(DeltaDiscoveryRequest.newBuilder()
                .setTypeUrl(RDS)
                .setResponseNonce("no such nonce")
                .build());
        assertFalse(session.isSynced(snapshot.number()), "a stale nonce answers nothing");
        session.onRequest(DeltaDiscoveryRequest.newBuilder()
                .setTypeUrl(RDS)
                .setResponseNonce(first.getNonce())
                .setErrorDetail(Status.newBuilder().setCode(3).setMessage("a:9080: bad regex"))
                .build());
        assertTrue(session.isSynced(snapshot.number()), "a refusal is an answer");
        XdsClientState.TypeState type = state().types().getFirst();
        assertEquals(0, type.acked());
        assertEquals(1, type.nacked());
        assertEquals("a:9080: bad regex", type.lastRejection());
        assertTrue(sent.isEmpty(), "what was refused is not sent again until it changes");
        mesh.route("a", "v1");
        update();
        ack(take(RDS));
        assertEquals(1, state().types().getFirst().acked());
    }

    @Test
    void aReconnectGetsOnlyWhatChangedMeanwhile() {
        for (int i = 0; i < 50; i++) {
            mesh.cluster("h" + i, "", Duration.ofSeconds(1));
            mesh.endpoints("h" + i, "", new Endpoint("100.64.0." + i, 80, 1, true, "", ""));
        }
        mesh.service("a", "240.240.0.1");
        update();
        request(CDS, "*");
        DeltaDiscoveryResponse all = take(CDS);
        request(EDS, "outbound|9080||h1", "outbound|9080||h2");
        DeltaDiscoveryResponse two = take(EDS);
        request(WDS, "/240.240.0.1");
        DeltaDiscoveryResponse alias = take(WDS);

        mesh.cluster("h7", "", Duration.ofSeconds(3));
        mesh.clusters.remove("outbound|9080||h9");
        mesh.endpoints("h2", "", new Endpoint("100.64.9.9", 80, 1, true, "", ""));
        // A new process: other snapshot numbers, same content.
        snapshot = ResourceSnapshot.NONE.next(mesh.state());
        session = newSession();
        session.update(snapshot);
        session.onRequest(reconnect(CDS, all, "*"));
        assertEquals(Set.of("outbound|9080||h7"), names(take(CDS)));
        assertEquals(List.of("outbound|9080||h9"), take(CDS).getRemovedResourcesList());
        session.onRequest(reconnect(EDS, two, "outbound|9080||h1", "outbound|9080||h2"));
        assertEquals(Set.of("outbound|9080||h2"), names(take(EDS)));
        session.onRequest(reconnect(WDS, alias, "/240.240.0.1"));
        assertTrue(sent.isEmpty(), "held under the resource's own name");
    }

    @Test
    void additionsGoInDependencyOrderAndRemovalsInTheOpposite() {
        update();
        request(RDS, "a:9080");
        request(LDS, "*");
        request(EDS, "outbound|9080||a");
        request(CDS, "*");
        sent.clear();
        mesh.cluster("a", "", Duration.ofSeconds(1));
        mesh.endpoints("a", "", new Endpoint("100.64.0.1", 80, 1, true, "", ""));
        mesh.listener("127.0.0.9", 80, "a");
        mesh.route("a", "");
        update();
        assertEquals(List.of(CDS, EDS, LDS, RDS), sentTypes());
        sent.clear();
        mesh.clusters.clear();
        mesh.endpoints.clear();
        mesh.listeners.clear();
        mesh.routes.clear();
        update();
        assertEquals(List.of(RDS, LDS, EDS, CDS), sentTypes());
    }

    @Test
    void aClientThatCannotTakeMoreSkipsWhatIsOutdated() {
        mesh.route("a", "");
        update();
        request(RDS, "a:9080");
        ack(take(RDS));
        ready = false;
        for (int i = 0; i < 100; i++) {
            mesh.route("a", "v" + i);
            update();
        }
        assertTrue(sent.isEmpty());
        assertFalse(session.isSynced(snapshot.number()));
        ready = true;
        session.push();
        assertEquals(1, sent.size());
        ack(take(RDS));
        assertTrue(session.isSynced(snapshot.number()));
    }

    @Test
    void aClientThatNeverAnswersIsNotRememberedForEver() {
        mesh.route("a", "");
        update();
        request(RDS, "a:9080");
        for (int i = 0; i < 100; i++) {
            mesh.route("a", "v" + i);
            update();
        }
        assertTrue(sent.size() <= 32, sent.size() + " responses without an answer");
        DeltaDiscoveryResponse last = sent.getLast();
        sent.clear();
        ack(last);
        assertEquals(Set.of("a:9080"), names(take(RDS)), "an answer makes room for the newest");
    }

    @Test
    void manyResourcesAreSplitOverResponses() {
        String text = "x".repeat(1000);
        for (int i = 0; i < 3000; i++) {
            mesh.service(text + i, "240.240." + i / 250 + "." + (1 + i % 250));
        }
        update();
        request(WDS, "*");
        assertTrue(sent.size() > 3, sent.size() + " responses");
        Set<String> all = new TreeSet<>();
        sent.forEach(response -> {
            assertTrue(response.getSerializedSize() < 2 << 20);
            all.addAll(names(response));
        });
        assertEquals(3000, all.size());
    }

    @Test
    void oneThatCannotBeEncodedKeepsItsLastGoodVersionAndNobodyElseSuffers() {
        mesh.route("a", "");
        mesh.service("good", "240.240.0.1");
        update();
        request(WDS, "*");
        ack(take(WDS));
        mesh.service("good", "not an address");
        mesh.service("other", "240.240.0.2");
        update();
        assertEquals(Set.of("default/other"), names(take(WDS)));
        assertTrue(
                snapshot.refused().containsKey("service default/good"),
                snapshot.refused().toString());
    }

    @Test
    void unknownTypesAreAnsweredAndEndlessOnesRefused() {
        update();
        request("type.googleapis.com/envoy.service.runtime.v3.Runtime", "rtds");
        assertEquals(List.of("rtds"), sent.removeFirst().getRemovedResourcesList());
        assertThrows(IllegalArgumentException.class, () -> request("", "a"));
        assertThrows(IllegalArgumentException.class, () -> {
            for (int i = 0; i < 100; i++) {
                request("type.googleapis.com/t" + i, "a");
            }
        });
    }

    private DeltaSession newSession() {
        return new DeltaSession(new ResponseOutput<>() {
            @Override
            public boolean isReady() {
                return ready;
            }

            @Override
            public void send(String typeUrl, DeltaDiscoveryResponse response) {
                sent.add(response);
            }
        });
    }

    private void update() {
        snapshot = snapshot.next(mesh.state());
        session.update(snapshot);
    }

    private void request(String typeUrl, String... names) {
        session.onRequest(DeltaDiscoveryRequest.newBuilder()
                .setTypeUrl(typeUrl)
                .addAllResourceNamesSubscribe(List.of(names))
                .build());
    }

    private static DeltaDiscoveryRequest reconnect(String typeUrl, DeltaDiscoveryResponse held, String... names) {
        DeltaDiscoveryRequest.Builder request =
                DeltaDiscoveryRequest.newBuilder().setTypeUrl(typeUrl).addAllResourceNamesSubscribe(List.of(names));
        held.getResourcesList()
                .forEach(resource -> request.putInitialResourceVersions(resource.getName(), resource.getVersion()));
        return request.build();
    }

    private void ack(DeltaDiscoveryResponse response) {
        session.onRequest(DeltaDiscoveryRequest.newBuilder()
                .setTypeUrl(response.getTypeUrl())
                .setResponseNonce(response.getNonce())
                .build());
    }

    private DeltaDiscoveryResponse take(String typeUrl) {
        DeltaDiscoveryResponse response = sent.stream()
                .filter(candidate -> candidate.getTypeUrl().equals(typeUrl))
                .findFirst()
                .orElseThrow(() -> new AssertionError("no response of type " + typeUrl + " in " + sent));
        sent.remove(response);
        return response;
    }

    private List<String> sentTypes() {
        return sent.stream().map(DeltaDiscoveryResponse::getTypeUrl).toList();
    }

    private XdsClientState state() {
        return session.state("test", Instant.EPOCH);
    }

    private static Set<String> names(DeltaDiscoveryResponse response) {
        Set<String> names = new TreeSet<>();
        response.getResourcesList().stream().map(Resource::getName).forEach(names::add);
        return names;
    }
}
