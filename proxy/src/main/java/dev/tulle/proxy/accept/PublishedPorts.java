package dev.tulle.proxy.accept;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import dev.tulle.common.LocalApiClient;
import dev.tulle.model.AppProtocol;
import dev.tulle.model.Cluster;
import dev.tulle.model.Endpoint;
import dev.tulle.model.HeaderMutation;
import dev.tulle.model.Listener;
import dev.tulle.model.ResourceRef;
import dev.tulle.model.RetryPolicy;
import dev.tulle.model.Route;
import dev.tulle.model.RouteAction;
import dev.tulle.model.RouteConfiguration;
import dev.tulle.model.RouteMatch;
import dev.tulle.model.RouteTable;
import dev.tulle.model.VirtualHost;
import dev.tulle.model.WeightedCluster;
import dev.tulle.proxy.discovery.ClusterSnapshot;
import dev.tulle.proxy.discovery.OutboundService;
import dev.tulle.proxy.discovery.ServiceSnapshot;
import io.netty.channel.Channel;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Keeps the listeners of published ports as the agent wants them: follows its stream on a thread of its own, and again
 * after the agent was away; meanwhile the listeners stay.
 */
final class PublishedPorts implements AutoCloseable {
    private static final System.Logger LOG = System.getLogger(PublishedPorts.class.getName());
    private static final long RETRY_MILLIS = 1_000;

    /** Opens listeners; may block. */
    interface Binder {
        /** For a published port. */
        Channel bind(String address, int port, OutboundService service) throws IOException;

        /** For tunnels of other nodes. */
        Channel bindTunnels(String address, int port) throws IOException;
    }

    /** Where tunnels of other nodes are taken. */
    private record Tunnels(String address, int port) {}

    private final Path nodeSocket;
    private final Binder binder;
    private final Map<Publication, Channel> open = new HashMap<>();
    private final Map<Tunnels, Channel> tunnels = new HashMap<>();
    private final Runnable onApplied;
    private final CountDownLatch applied = new CountDownLatch(1);
    private final Thread thread;
    private volatile boolean closed;
    private volatile @Nullable LocalApiClient client;

    /**
     * Not followed yet.
     *
     * @param onApplied called on the thread that follows, whenever the listeners are as the agent wants them
     */
    PublishedPorts(Path nodeSocket, Binder binder, Runnable onApplied) {
        this.onApplied = onApplied;
        this.nodeSocket = nodeSocket;
        this.binder = binder;
        this.thread = Thread.ofPlatform().name("published-ports").daemon().unstarted(this::run);
    }

    void start() {
        thread.start();
    }

    private void run() {
        boolean told = false;
        while (!closed) {
            try (LocalApiClient api = LocalApiClient.connect(nodeSocket)) {
                client = api;
                JsonObject request = new JsonObject();
                request.addProperty("method", "publications");
                request.add("params", new JsonObject());
                api.send(request.toString());
                for (String line = api.receive(); line != null && !closed; line = api.receive()) {
                    JsonObject answer = JsonParser.parseString(line).getAsJsonObject();
                    if (!answer.get("ok").getAsBoolean()) {
                        throw new IOException("the agent refuses: " + answer.get("error"));
                    }
                    JsonObject wanted = answer.getAsJsonObject("result");
                    applyTunnels(tunnels(wanted));
                    apply(Publication.parse(wanted));
                    told = false;
                }
            } catch (IOException | RuntimeException e) {
                // Said once per outage: an agent that restarts is no news, one that cannot be reached is.
                LOG.log(
                        told ? System.Logger.Level.DEBUG : System.Logger.Level.WARNING,
                        "published ports: " + nodeSocket + ": " + e);
                told = true;
            }
            pause();
        }
    }

    boolean awaitApplied(Duration patience) throws InterruptedException {
        return applied.await(patience.toMillis(), TimeUnit.MILLISECONDS);
    }

    private void pause() {
        try {
            TimeUnit.MILLISECONDS.sleep(closed ? 0 : RETRY_MILLIS);
        } catch (InterruptedException e) {
            closed = true;
        }
    }

    private static List<Tunnels> tunnels(JsonObject wanted) {
        List<Tunnels> all = new ArrayList<>();
        if (wanted.get("tunnels") instanceof JsonArray given) {
            given.forEach(one -> all.add(new Tunnels(
                    one.getAsJsonObject().get("address").getAsString(),
                    one.getAsJsonObject().get("port").getAsInt())));
        }
        return all;
    }

    private void applyTunnels(List<Tunnels> wanted) {
        for (Tunnels old : List.copyOf(tunnels.keySet())) {
            Channel channel = wanted.contains(old) ? null : tunnels.remove(old);
            if (channel != null) {
                channel.close().syncUninterruptibly();
            }
        }
        for (Tunnels one : wanted) {
            if (!tunnels.containsKey(one)) {
                try {
                    tunnels.put(one, binder.bindTunnels(one.address(), one.port()));
                } catch (IOException e) {
                    // Tried again whenever the agent repeats itself.
                    LOG.log(System.Logger.Level.WARNING, "no tunnels at " + one + ": " + e.getMessage());
                }
            }
        }
    }

    private void apply(List<Publication> wanted) {
        for (Publication old : List.copyOf(open.keySet())) {
            if (!wanted.contains(old)) {
                Channel channel = open.remove(old);
                if (channel != null) {
                    channel.close().syncUninterruptibly();
                }
            }
        }
        for (Publication publication : wanted) {
            if (!open.containsKey(publication)) {
                try {
                    open.put(publication, binder.bind(publication.address(), publication.port(), service(publication)));
                } catch (IOException e) {
                    // Tried again whenever the agent repeats itself.
                    LOG.log(System.Logger.Level.WARNING, "cannot publish " + publication + ": " + e.getMessage());
                }
            }
        }
        onApplied.run();
        applied.countDown();
    }

    /** A published port as a service with one route to one endpoint. */
    static OutboundService service(Publication p) {
        String name = "inbound|" + p.targetPort() + "||" + p.workload() + "." + p.namespace();
        ResourceRef origin = new ResourceRef("Registration", p.namespace(), p.workload(), "", 0);
        Cluster cluster = new Cluster(
                name,
                p.workload(),
                p.targetPort(),
                "",
                Cluster.Balancing.ROUND_ROBIN,
                Cluster.DEFAULT_CONNECT_TIMEOUT,
                0,
                0,
                0,
                Cluster.DEFAULT_IDLE_TIMEOUT,
                p.protocol() == AppProtocol.AUTO ? Cluster.Protocol.AS_CLIENT : Cluster.Protocol.HTTP1,
                origin);
        Endpoint endpoint = new Endpoint(p.targetAddress(), p.targetPort(), 1, true, p.workload(), p.namespace());
        List<WeightedCluster> all = List.of(new WeightedCluster(name, 1));
        Route route = new Route(
                "published",
                RouteMatch.ANY,
                new RouteAction.Forward(all, Duration.ZERO, RetryPolicy.DEFAULT, RouteAction.Rewrite.NONE, List.of()),
                List.of(),
                HeaderMutation.NONE,
                origin);
        // What counts the calls says the same of them as of those from inside.
        String host = p.host().isEmpty() ? p.workload() : p.host();
        boolean http = p.protocol() == AppProtocol.HTTP || p.protocol() == AppProtocol.AUTO;
        RouteConfiguration routes =
                new RouteConfiguration(name, List.of(new VirtualHost("published", List.of("*"), List.of(route))));
        Listener listener = new Listener(
                Listener.nameOf(p.address(), p.port()),
                p.address(),
                p.port(),
                host,
                http
                        ? new Listener.Target.Http(name, p.protocol() == AppProtocol.AUTO, all)
                        : new Listener.Target.Tcp(all));
        return OutboundService.fixed(
                listener.name(),
                new ServiceSnapshot(
                        listener,
                        http ? RouteTable.compile(routes) : null,
                        Map.of(name, new ClusterSnapshot(cluster, List.of(endpoint)))));
    }

    @Override
    public void close() {
        closed = true;
        thread.interrupt();
        LocalApiClient api = client;
        if (api != null) {
            try {
                api.close();
            } catch (IOException e) {
                LOG.log(System.Logger.Level.DEBUG, "close", e);
            }
        }
    }
}
