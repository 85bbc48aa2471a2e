package dev.tulle.proxy;

import dev.tulle.model.MeshState;
import dev.tulle.model.Secret;
import dev.tulle.xds.ResourceType;
import dev.tulle.xds.ResourceWatcher;
import dev.tulle.xds.Subscription;
import dev.tulle.xds.XdsClient;
import dev.tulle.xds.XdsStatus;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.jspecify.annotations.Nullable;

/** A control plane in memory: serves what {@link #set} was given last, on an owner thread as the real client does. */
public final class FakeXds implements XdsClient {
    private final ExecutorService owner = Executors.newSingleThreadExecutor(
            Thread.ofPlatform().name("fake-xds").daemon().factory());
    private final List<Watch<?>> watches = new ArrayList<>();
    private final Map<String, Secret> secrets = new HashMap<>();
    private MeshState state = MeshState.EMPTY;
    private boolean silent;

    private final class Watch<T> {
        final ResourceType<T> type;
        final String name;
        final ResourceWatcher<T> watcher;
        boolean told;

        @Nullable
        T last;

        Watch(ResourceType<T> type, String name, ResourceWatcher<T> watcher) {
            this.type = type;
            this.name = name;
            this.watcher = watcher;
        }

        void tell() {
            T now = find();
            if (told && Objects.equals(now, last)) {
                return;
            }
            told = true;
            last = now;
            if (now == null) {
                watcher.onAbsent();
            } else {
                watcher.onChanged(now);
            }
        }

        private @Nullable T find() {
            Object found =
                    switch (type.label()) {
                        case "listener" -> state.listeners().get(name);
                        case "route" -> state.routes().get(name);
                        case "cluster" -> state.clusters().get(name);
                        case "endpoints" -> state.endpoints().get(name);
                        case "authorization" -> state.policies().get(name);
                        case "service" -> state.services().get(name);
                        case "secret" -> secrets.get(name);
                        default -> workload();
                    };
            return found == null ? null : type.modelType().cast(found);
        }

        private @Nullable Object workload() {
            return name.startsWith("/")
                    ? state.workloads().values().stream()
                            .filter(w -> w.addresses().contains(name.substring(1)))
                            .findFirst()
                            .orElse(null)
                    : state.workloads().get(name);
        }
    }

    /** Changes the whole state; watchers are told before this returns. */
    public void set(MeshState next) {
        run(() -> {
            state = next;
            List.copyOf(watches).forEach(Watch::tell);
        });
    }

    /** Gives a secret, or another one in its place; watchers are told before this returns. */
    public void give(Secret secret) {
        run(() -> {
            secrets.put(secret.name(), secret);
            List.copyOf(watches).forEach(Watch::tell);
        });
    }

    /** Stops answering new watches, as a control plane that is away. */
    public void silence(boolean on) {
        run(() -> {
            silent = on;
            if (!on) {
                List.copyOf(watches).forEach(Watch::tell);
            }
        });
    }

    private void run(Runnable task) {
        try {
            owner.submit(task).get();
        } catch (InterruptedException | java.util.concurrent.ExecutionException e) {
            throw new AssertionError(e);
        }
    }

    @Override
    public <T> Subscription watch(ResourceType<T> type, String name, ResourceWatcher<T> watcher) {
        Watch<T> watch = new Watch<>(type, name, watcher);
        owner.execute(() -> {
            watches.add(watch);
            if (!silent) {
                watch.tell();
            }
        });
        return () -> {
            if (!owner.isShutdown()) {
                owner.execute(() -> watches.remove(watch));
            }
        };
    }

    @Override
    public XdsStatus status() {
        return new XdsStatus("fake", true, Instant.EPOCH, "", 1, List.of());
    }

    @Override
    public void close() {
        owner.shutdown();
    }
}
