package dev.tulle.config;

import static dev.tulle.config.ApiEdge.gateway;
import static dev.tulle.config.ApiEdge.listener;
import static dev.tulle.config.ApiEdge.object;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.tulle.model.Listener;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Connections that are no requests: what TCPRoutes say of them, at the edge and in the mesh. */
class ApiTcpRouteTest {
    private static String tcpRoute(String metadata, String parent, String backends) {
        return object(
                "TCPRoute", metadata, "parentRefs: [%s], rules: [{backendRefs: [%s]}]".formatted(parent, backends));
    }

    @Test
    void bytesGoWhereTheOldestTcpRouteSays() {
        String listener = listener("bytes", 9000, "TCP", "");
        ApiEdge edge = new ApiEdge(
                gateway("name: front", listener),
                tcpRoute(
                        "name: new, creationTimestamp: '2026-02-01T00:00:00Z'",
                        "{name: front}",
                        "{name: b, port: 8080}"),
                tcpRoute(
                        "name: old, creationTimestamp: '2026-01-01T00:00:00Z'",
                        "{name: front, sectionName: bytes}",
                        "{name: a, port: 8080, weight: 3}, {name: c, port: 8080}"));
        Listener.Target.Tcp target = (Listener.Target.Tcp) edge.chain(9000, "").target();
        assertEquals(
                List.of("outbound|8080||a.default.svc.cluster.local 3", "outbound|8080||c.default.svc.cluster.local 1"),
                target.clusters().stream()
                        .map(cluster -> cluster.cluster() + " " + cluster.weight())
                        .toList());
        assertEquals(
                2,
                edge.status(Kinds.API_GATEWAY, "front").listeners().getFirst().attachedRoutes());
        assertEquals(List.of(), edge.warnings());
    }

    @ParameterizedTest
    @CsvSource({
        "'{name: a, port: 8080, weight: 0}', outbound|8080|(nobody)|a.default.svc.cluster.local 1",
        "'{name: a, namespace: other, port: 8080}', 'outbound|8080|(not granted)|a.other.svc.cluster.local 1'",
        "'{name: gone, port: 8080}', outbound|8080||gone.default.svc.cluster.local 1",
    })
    void connectionsThatMayGoNowhereHaveAClusterThatThereIsNot(String backends, String cluster) {
        String listener = listener("bytes", 8080, "TCP", "");
        ApiEdge edge = new ApiEdge(gateway("name: front", listener), tcpRoute("name: r", "{name: front}", backends));
        Listener.Target.Tcp target = (Listener.Target.Tcp) edge.chain(8080, "").target();
        assertEquals(
                List.of(cluster),
                target.clusters().stream()
                        .map(share -> share.cluster() + " " + share.weight())
                        .toList());
        assertEquals(List.of(), edge.thereAre(List.of(cluster.substring(0, cluster.length() - 2))));
    }

    @Test
    void insideTheMeshTheOldestTcpRouteHasAServicesConnections() {
        String service = """
            apiVersion: v1
            kind: Service
            metadata: {name: db}
            spec: {selector: {app: db}, ports: [{name: tcp, port: 5432}, {name: tcp-more, port: 5433}]}
            """;
        ApiEdge mesh = new ApiEdge(
                service,
                tcpRoute(
                        "name: new, creationTimestamp: '2026-02-01T00:00:00Z'",
                        "{group: '', kind: Service, name: db}",
                        "{name: b, port: 8080}"),
                tcpRoute(
                        "name: old, creationTimestamp: '2026-01-01T00:00:00Z'",
                        "{group: '', kind: Service, name: db, port: 5432}",
                        "{name: a, port: 8080}"),
                tcpRoute("name: lost", "{group: '', kind: Service, name: gone}", "{name: a, port: 8080}"));
        assertEquals("outbound|8080||a.default.svc.cluster.local", mesh.bytes("db.default.svc.cluster.local", 5432));
        assertEquals("outbound|8080||b.default.svc.cluster.local", mesh.bytes("db.default.svc.cluster.local", 5433));
        assertEquals(List.of("TUL0103"), mesh.warnings());
    }

    @Test
    void aPortForBytesThatGoNowhereStaysClosed() {
        ApiEdge edge = new ApiEdge(gateway("name: front", listener("bytes", 9000, "TCP", "")));
        assertEquals(List.of(), edge.chains());
        GatewayStatus.Condition programmed = edge.status(Kinds.API_GATEWAY, "front")
                .listeners()
                .getFirst()
                .conditions()
                .getLast();
        assertEquals("Pending", programmed.reason());
    }
}
