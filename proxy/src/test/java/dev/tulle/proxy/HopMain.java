package dev.tulle.proxy;

import dev.tulle.model.Route;
import dev.tulle.model.RouteMatch;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * The proxy as the benchmark {@code hop} runs it: one worker, a table of twenty routes of which the last matches, metrics
 * on. Arguments: port to listen on, port of the back end, port of the metrics.
 */
public final class HopMain {
    private HopMain() {}

    /** Runs until it is killed. */
    public static void main(String[] args) throws Exception {
        int port = Integer.parseInt(args[0]);
        FakeXds xds = new FakeXds();
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
        xds.set(Meshes.mesh()
                .subset("", Integer.parseInt(args[1]))
                .routes(routes.toArray(Route[]::new))
                .build());
        NodeProxy proxy = NodeProxy.start(
                ProxyOptions.builder()
                        .workers(1)
                        .outbound(List.of(), -1)
                        .explicit("127.0.0.1", -1)
                        .probes("127.0.0.1", -1, Integer.parseInt(args[2]))
                        .build(),
                xds);
        proxy.listenToward("127.0.0.1", port, new InetSocketAddress(Meshes.VIP, Meshes.PORT));
        Runtime.getRuntime().addShutdownHook(new Thread(proxy::close));
        System.out.println("listening on " + port);
        proxy.awaitClosed();
    }
}
