package dev.tulle.cli.role;

import dev.tulle.cli.client.PidFile;
import dev.tulle.cli.client.RunEvents;
import dev.tulle.control.ControlPlane;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * The process of the mesh's edge: runs as long as a Gateway has ports to serve, and only then. Looked at on a virtual
 * thread of its own; safe for any thread.
 */
final class GatewayChild implements AutoCloseable {
    /** Whether this host serves the mesh's edge. */
    interface Edge {
        /** A host that does not, whatever Gateways there are. */
        Edge NONE = new Edge() {
            @Override
            public boolean isKnown() {
                return true;
            }

            @Override
            public boolean isServed() {
                return false;
            }
        };

        /** The host of the control plane. */
        static Edge of(ControlPlane plane) {
            return new Edge() {
                @Override
                public boolean isKnown() {
                    return plane.isReady();
                }

                @Override
                public boolean isServed() {
                    return plane.servesEdge();
                }
            };
        }

        /** True when the other question can be answered. */
        boolean isKnown();

        /** True when a Gateway has ports to serve here. */
        boolean isServed();
    }

    private static final Duration LOOK = Duration.ofMillis(100);

    private final Edge edge;
    private final ProxySupervisor.Launch launch;
    private final Path run;
    private final Duration drain;
    private final RunEvents events;
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition ending = lock.newCondition();
    private final Thread watcher;
    private @Nullable ProxySupervisor supervisor;
    private boolean closing;

    private GatewayChild(Edge edge, ProxySupervisor.Launch launch, Path run, Duration drain, RunEvents events) {
        this.edge = edge;
        this.launch = launch;
        this.run = run;
        this.drain = drain;
        this.events = events;
        this.watcher = Thread.ofVirtual().name("gateway-child").unstarted(this::watch);
    }

    static GatewayChild start(Edge edge, ProxySupervisor.Launch launch, Path run, Duration drain, RunEvents events) {
        GatewayChild child = new GatewayChild(edge, launch, run, drain, events);
        child.watcher.start();
        return child;
    }

    private void watch() {
        String told = "";
        lock.lock();
        try {
            while (!closing) {
                // A control plane that has just started does not know yet what there was.
                if (edge.isKnown()) {
                    String trouble = tryTo(edge.isServed());
                    if (!trouble.isEmpty() && !trouble.equals(told)) {
                        events.add(ProxySupervisor.GATEWAY, trouble);
                    }
                    told = trouble;
                }
                var _ = ending.await(LOOK.toMillis(), TimeUnit.MILLISECONDS);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } finally {
            lock.unlock();
        }
    }

    /** What is wrong; it is tried again, for nobody else would start the process. */
    private String tryTo(boolean wanted) {
        try {
            bringTo(wanted);
            return "";
        } catch (RuntimeException e) {
            return "cannot be " + (wanted ? "started" : "stopped") + ": " + e;
        }
    }

    private void bringTo(boolean wanted) {
        ProxySupervisor running = supervisor;
        if (wanted && running == null) {
            supervisor =
                    ProxySupervisor.start(ProxySupervisor.GATEWAY, launch, run, RoleOptions.build(), drain, events);
        } else if (!wanted && running != null) {
            supervisor = null;
            running.close();
            events.add(ProxySupervisor.GATEWAY, "stopped: no Gateway has ports to serve");
        } else if (!wanted && PidFile.living(run, ProxySupervisor.GATEWAY).isPresent()) {
            // One that a former process left, whose Gateway has gone meanwhile.
            ProxySupervisor.stop(run, ProxySupervisor.GATEWAY, drain);
        }
    }

    /** Puts a new process in the place of the running one; nothing where none runs. */
    void upgrade() throws IOException, InterruptedException {
        ProxySupervisor running;
        lock.lock();
        try {
            running = supervisor;
        } finally {
            lock.unlock();
        }
        if (running != null) {
            running.upgrade();
        }
    }

    /** Ends the watching; the process goes on, for the next process of this role to adopt. */
    void leave() {
        ProxySupervisor running = end();
        if (running != null) {
            running.leave();
        }
    }

    private @Nullable ProxySupervisor end() {
        lock.lock();
        try {
            closing = true;
            ending.signalAll();
            return supervisor;
        } finally {
            lock.unlock();
        }
    }

    /** Stops the process, unless it was left. Idempotent. */
    @Override
    public void close() {
        ProxySupervisor running = end();
        if (running != null) {
            running.close();
        }
    }
}
