package dev.tulle.proxy.discovery;

import dev.tulle.model.Listener;
import dev.tulle.xds.XdsClient;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;

/**
 * The services that this proxy's clients use, fetched when first asked for and forgotten some time after the last use.
 * Any thread.
 */
public final class ServiceDirectory implements AutoCloseable {
    private record Followed(OutboundService service, ServiceWatch watch) {}

    private final XdsClient xds;
    private final long idleNanos;
    private final Map<String, Followed> services = new ConcurrentHashMap<>();
    private final List<Consumer<OutboundService>> forgotten = new java.util.concurrent.CopyOnWriteArrayList<>();
    private final ScheduledExecutorService timer;
    private final ScheduledFuture<?> sweep;

    /**
     * An empty directory.
     *
     * @param idleExpiry how long an unused service is followed
     */
    public ServiceDirectory(XdsClient xds, Duration idleExpiry) {
        this.xds = xds;
        this.idleNanos = idleExpiry.toNanos();
        this.timer = Executors.newSingleThreadScheduledExecutor(
                Thread.ofPlatform().name("service-directory").daemon().factory());
        long period = Math.max(100, idleExpiry.toMillis() / 4);
        this.sweep = this.timer.scheduleWithFixedDelay(this::forgetIdle, period, period, TimeUnit.MILLISECONDS);
    }

    /** Told of every service that is forgotten, so that what was prepared for it can go; on the directory's thread. */
    public void onForgotten(Consumer<OutboundService> listener) {
        forgotten.add(listener);
    }

    /** The service at an address; followed from now on. */
    public OutboundService lookup(String address, int port) {
        String name = Listener.nameOf(address, port);
        Followed known = services.get(name);
        if (known != null) {
            return known.service;
        }
        Followed fresh = follow(name);
        Followed raced = services.putIfAbsent(name, fresh);
        if (raced != null) {
            return raced.service;
        }
        fresh.watch.start();
        return fresh.service;
    }

    /**
     * Follows what a listener refers to that is known already, from now on and until it is {@link #leave left}.
     *
     * @return what its connections use
     */
    public OutboundService follow(Listener listener) {
        Followed followed = services.compute(listener.name(), (name, known) -> {
            // Within it, so that nobody forgets as idle what is given here.
            Followed found = known == null ? follow(name) : known;
            found.service.retain();
            return found;
        });
        followed.watch.start(listener);
        return followed.service;
    }

    /** What is followed refers to something else now. */
    public void update(Listener listener) {
        Followed known = services.get(listener.name());
        if (known != null) {
            known.watch.start(listener);
        }
    }

    /** Nobody begins anything with what {@link #follow(Listener)} gave any more. */
    public void leave(OutboundService service) {
        service.release();
    }

    /**
     * Ends what {@link #follow(Listener)} gave: its name is about to be another's. Those who still have it, as connections
     * that were begun with it, find that there is no such thing.
     */
    public void end(OutboundService service) {
        Followed known = services.get(service.name());
        if (known == null || known.service != service || !services.remove(service.name(), known)) {
            return;
        }
        known.watch.close();
        service.absent();
        service.release();
        timer.execute(() -> forgotten.forEach(listener -> listener.accept(service)));
    }

    private Followed follow(String name) {
        OutboundService service = new OutboundService(name);
        return new Followed(service, new ServiceWatch(xds, service, timer));
    }

    /** The services followed now. */
    public Collection<OutboundService> services() {
        return services.values().stream().map(Followed::service).toList();
    }

    void forgetIdle() {
        for (String name : List.copyOf(services.keySet())) {
            List<Followed> idle = new ArrayList<>(1);
            services.computeIfPresent(name, (_, followed) -> {
                if (!followed.service.isIdleFor(idleNanos)) {
                    return followed;
                }
                idle.add(followed);
                return null;
            });
            for (Followed followed : idle) {
                followed.watch.close();
                forgotten.forEach(listener -> listener.accept(followed.service));
            }
        }
    }

    @Override
    public void close() {
        sweep.cancel(false);
        timer.shutdownNow();
        services.values().forEach(followed -> followed.watch.close());
        services.clear();
    }
}
