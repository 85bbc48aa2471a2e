package dev.tulle.proxy.accept;

import dev.tulle.model.Listener;
import dev.tulle.proxy.discovery.OutboundService;
import dev.tulle.proxy.discovery.ServiceDirectory;
import dev.tulle.xds.ResourceType;
import dev.tulle.xds.ResourceWatcher;
import dev.tulle.xds.Subscription;
import dev.tulle.xds.XdsClient;
import io.netty.channel.Channel;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Keeps the listeners of the mesh's edge as Gateways want them, on a thread of its own: the agent, which opens the ports,
 * may come to it later than this process.
 */
final class EdgePorts implements AutoCloseable, ResourceWatcher<Listener> {
    private static final System.Logger LOG = System.getLogger(EdgePorts.class.getName());
    private static final long RETRY_MILLIS = 100;

    /** Opens a listener; may block. */
    @FunctionalInterface
    interface Binder {
        Channel bind(String address, int port, OutboundService service) throws IOException;
    }

    /** One port as it is served. */
    private static final class Open {
        final OutboundService service;
        final Map<String, Channel> channels = new HashMap<>();

        Open(OutboundService service) {
            this.service = service;
        }
    }

    private final XdsClient xds;
    private final ServiceDirectory services;
    private final Binder binder;
    private final List<String> addresses;
    private final Runnable onApplied;
    private final Map<Integer, Open> open = new HashMap<>();
    private final CountDownLatch applied = new CountDownLatch(1);
    private final Semaphore news = new Semaphore(0);
    private final Thread thread;
    private @Nullable Subscription subscription;
    private List<Listener.Target.Chain> wanted = List.of();
    private boolean closed;

    /**
     * Not followed yet.
     *
     * @param addresses where each port is served
     * @param onApplied called on the thread that follows, whenever the listeners are as they are wanted
     */
    EdgePorts(XdsClient xds, ServiceDirectory services, List<String> addresses, Binder binder, Runnable onApplied) {
        this.xds = xds;
        this.services = services;
        this.addresses = List.copyOf(addresses);
        this.binder = binder;
        this.onApplied = onApplied;
        this.thread = Thread.ofPlatform().name("edge-ports").daemon().unstarted(this::run);
    }

    void start() {
        thread.start();
        subscription = xds.watch(ResourceType.LISTENER, Listener.EDGE, this);
    }

    @Override
    public void onChanged(Listener listener) {
        want(listener.target() instanceof Listener.Target.Edge edge ? edge.chains() : List.of());
    }

    @Override
    public void onAbsent() {
        want(List.of());
    }

    @Override
    public void onTrouble(String reason) {
        // What is served stays.
    }

    private synchronized void want(List<Listener.Target.Chain> chains) {
        wanted = List.copyOf(chains);
        news.release();
    }

    /** What is to be served, once it is known or has changed or is to be tried again; null at the end. */
    private @Nullable List<Listener.Target.Chain> next(boolean again) throws InterruptedException {
        if (again) {
            var _ = news.tryAcquire(RETRY_MILLIS, TimeUnit.MILLISECONDS);
        } else {
            news.acquire();
        }
        news.drainPermits();
        synchronized (this) {
            return closed ? null : wanted;
        }
    }

    private void run() {
        String told = "";
        try {
            List<Listener.Target.Chain> chains = next(false);
            while (chains != null) {
                List<String> troubles = apply(chains);
                String trouble = String.join("; ", troubles);
                if (!trouble.isEmpty() && !trouble.equals(told)) {
                    LOG.log(System.Logger.Level.WARNING, "gateway: " + trouble);
                }
                told = trouble;
                if (troubles.isEmpty()) {
                    onApplied.run();
                    applied.countDown();
                }
                chains = next(!troubles.isEmpty());
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    boolean awaitApplied(Duration patience) throws InterruptedException {
        return applied.await(patience.toMillis(), TimeUnit.MILLISECONDS);
    }

    private List<String> apply(List<Listener.Target.Chain> chains) {
        for (int port : List.copyOf(open.keySet())) {
            if (chains.stream().noneMatch(chain -> chain.port() == port)) {
                close(open.remove(port));
            }
        }
        List<String> troubles = new ArrayList<>();
        for (Listener.Target.Chain chain : chains) {
            Open known = open.get(chain.port());
            if (known == null) {
                known = new Open(services.follow(chain.listener()));
                open.put(chain.port(), known);
            } else {
                services.update(chain.listener());
            }
            for (String address : addresses) {
                if (!known.channels.containsKey(address)) {
                    try {
                        known.channels.put(address, binder.bind(address, chain.port(), known.service));
                    } catch (IOException e) {
                        troubles.add(address + " port " + chain.port() + ": " + e.getMessage());
                    }
                }
            }
        }
        return troubles;
    }

    private void close(@Nullable Open ended) {
        if (ended != null) {
            ended.channels.values().forEach(channel -> channel.close().syncUninterruptibly());
            services.leave(ended.service);
        }
    }

    @Override
    public void close() {
        synchronized (this) {
            closed = true;
            news.release();
        }
        Subscription watch = subscription;
        if (watch != null) {
            watch.close();
        }
        try {
            thread.join(Duration.ofSeconds(2));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
