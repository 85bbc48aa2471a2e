package dev.tulle.it.truth;

import dev.tulle.model.RouteConfiguration;
import dev.tulle.xds.ResourceType;
import dev.tulle.xds.ResourceWatcher;
import dev.tulle.xds.Subscription;
import dev.tulle.xds.UnusableResourceException;
import dev.tulle.xds.XdsClient;
import dev.tulle.xds.XdsClientOptions;
import dev.tulle.xds.XdsClients;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

/**
 * The proxy of another node, which follows the same route and does as it is told: enforce, refuse, take its time, say
 * nothing. What it enforces is what it says that it enforces.
 */
final class Elsewhere implements AutoCloseable {
    static final String NODE = "elsewhere";

    /** What it does with what it is sent. */
    enum Manner {
        WILLING,
        SLOW,
        SILENT,
        REFUSING
    }

    private final Path socket;
    private final String route;
    private final Duration slowness;
    private volatile Manner manner = Manner.WILLING;
    private volatile String told = "";
    private volatile String enforced = "";
    private XdsClient client;
    private Subscription watch;

    Elsewhere(Path socket, String route, Duration slowness) {
        this.socket = socket;
        this.route = route;
        this.slowness = slowness;
        this.client = XdsClients.connect(new XdsClientOptions(socket, NODE, "proxy"));
        this.watch = follow();
    }

    private Subscription follow() {
        client.acknowledgeThrough(answer -> {
            String text = told;
            switch (manner) {
                case SILENT -> {}
                case SLOW ->
                    CompletableFuture.delayedExecutor(slowness.toMillis(), TimeUnit.MILLISECONDS)
                            .execute(() -> {
                                enforced = text;
                                answer.accept("");
                            });
                case WILLING, REFUSING -> {
                    enforced = manner == Manner.REFUSING ? enforced : text;
                    answer.accept("");
                }
            }
        });
        return client.watch(ResourceType.ROUTE, route, new ResourceWatcher<>() {
            @Override
            public void onChanged(RouteConfiguration value) {
                told = value.toString();
                if (manner == Manner.REFUSING) {
                    throw new UnusableResourceException("it is told to refuse\nWARNING and to forge a line");
                }
            }

            @Override
            public void onAbsent() {
                told = "absent";
            }

            @Override
            public void onTrouble(String reason) {
                // What it had stays in force.
            }
        });
    }

    void become(Manner next) {
        manner = next;
    }

    /** Ends without a word, as one that crashes, and begins anew: it enforces nothing until it is told. */
    void restart() {
        watch.close();
        client.vanish();
        told = "";
        enforced = "";
        client = XdsClients.connect(new XdsClientOptions(socket, NODE, "proxy"));
        watch = follow();
    }

    /** What is wrong with what it enforces; empty when it is what a route change says. */
    Optional<String> difference(Change.Sight sight) {
        String has = enforced;
        boolean generation = sight.generation().equals("-")
                ? !has.contains("x-generation")
                : has.contains("x-generation") && has.contains(sight.generation());
        boolean version = sight.version().isEmpty() || has.contains("|" + sight.version() + "|");
        return generation && version
                ? Optional.empty()
                : Optional.of(NODE + " enforces " + has + ", expected " + sight);
    }

    @Override
    public void close() {
        watch.close();
        client.close();
    }
}
