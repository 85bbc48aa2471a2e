package dev.tulle.proxy;

import dev.tulle.model.Cluster;
import dev.tulle.model.EdgeTls;
import dev.tulle.model.MeshState;
import dev.tulle.model.Route;
import dev.tulle.model.RouteConfiguration;
import dev.tulle.model.RouteMatch;
import dev.tulle.model.VirtualHost;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * The proxy as benchmarks of one hop run it: one worker, a table of twenty routes of which the last matches, metrics on.
 * Arguments: port to listen on, port of the back end, port of the metrics (-1 for none), what the back end speaks ({@code h1},
 * the default, or {@code h2}); with a certificate and its key behind these, the port is the edge's and asks for TLS.
 */
public final class HopMain {
    private static final String TABLE = "edge";

    private HopMain() {}

    /** Runs until it is killed. */
    public static void main(String[] args) throws Exception {
        int port = Integer.parseInt(args[0]);
        boolean h2 = args.length > 3 && args[3].equals("h2");
        boolean tls = args.length > 5;
        List<Route> routes = routes();
        MeshState mesh = Meshes.mesh()
                .protocol(h2 ? Cluster.Protocol.HTTP2 : Cluster.Protocol.HTTP1)
                .subset("", Integer.parseInt(args[1]))
                .routes(routes.toArray(Route[]::new))
                .build();
        FakeXds xds = new FakeXds();
        if (tls) {
            xds.set(Edges.edge(
                    mesh,
                    List.of(EdgeTlsTest.chain(TABLE, port, new EdgeTls(args[4], args[5], "", false))),
                    List.of(new RouteConfiguration(TABLE, List.of(new VirtualHost("all", List.of("*"), routes))))));
        } else {
            xds.set(mesh);
        }
        NodeProxy proxy = NodeProxy.start(
                ProxyOptions.builder()
                        .role(tls ? ProxyOptions.Role.GATEWAY : ProxyOptions.Role.NODE)
                        .workers(1)
                        .outbound(List.of(), -1)
                        .explicit("127.0.0.1", -1)
                        .probes("127.0.0.1", -1, Integer.parseInt(args[2]))
                        .build(),
                xds);
        if (!tls) {
            proxy.listenToward("127.0.0.1", port, new InetSocketAddress(Meshes.VIP, Meshes.PORT));
        }
        Runtime.getRuntime().addShutdownHook(new Thread(proxy::close));
        System.out.println("listening on " + port);
        proxy.awaitClosed();
    }

    static List<Route> routes() {
        List<Route> routes = new ArrayList<>();
        for (int i = 0; i < 19; i++) {
            routes.add(Meshes.forward(
                    "r" + i,
                    new RouteMatch(
                            new RouteMatch.PathMatch.Prefix("/service" + i + "/"),
                            false,
                            Optional.empty(),
                            List.of(),
                            List.of()),
                    ""));
        }
        routes.add(Meshes.forward("default", RouteMatch.ANY, ""));
        return routes;
    }
}
