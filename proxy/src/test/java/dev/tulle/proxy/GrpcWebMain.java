package dev.tulle.proxy;

import dev.tulle.model.Cluster;
import dev.tulle.model.Listener.Target;
import dev.tulle.model.ResourceRef;
import dev.tulle.model.RouteConfiguration;
import dev.tulle.model.RouteMatch;
import dev.tulle.model.VirtualHost;
import java.util.List;

/** A gateway before a server of gRPC, for clients of gRPC-Web that are not ours (it/edge/grpc-web). Argument: its port. */
public final class GrpcWebMain {
    private GrpcWebMain() {}

    /** Runs until it is killed. */
    public static void main(String[] args) throws Exception {
        int port = Edges.freePort();
        RouteConfiguration table = new RouteConfiguration(
                "http." + port,
                List.of(new VirtualHost("all", List.of("*"), List.of(Meshes.forward("all", RouteMatch.ANY, "")))));
        FakeXds xds = new FakeXds();
        xds.set(Edges.edge(
                Meshes.mesh()
                        .protocol(Cluster.Protocol.HTTP2)
                        .subset("", Integer.parseInt(args[0]))
                        .build(),
                List.of(new Target.Chain(port, new Target.Http(table.name(), false, List.of()), ResourceRef.DEFAULT)),
                List.of(table)));
        NodeProxy proxy = NodeProxy.start(Edges.options().build(), xds);
        Edges.await(port);
        Runtime.getRuntime().addShutdownHook(new Thread(proxy::close));
        System.out.println("listening on " + port);
        proxy.awaitClosed();
    }
}
