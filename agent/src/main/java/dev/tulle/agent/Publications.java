package dev.tulle.agent;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import dev.tulle.agent.enrol.EnrolSpec.Publication;
import dev.tulle.agent.enrol.Lease;
import dev.tulle.agent.host.HostNetwork;
import dev.tulle.config.Hosts;
import dev.tulle.model.AppProtocol;
import dev.tulle.model.Workload.WorkloadPort;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.function.Function;

/**
 * The ports that the node proxy opens to the outside, as it is told of them. Thread-safe: set by the owner thread, waited
 * for by the threads that serve the proxy.
 */
final class Publications implements AutoCloseable {
    private JsonObject current = new JsonObject();
    private long version;
    private boolean closed;

    Publications() {
        current.add("listeners", new JsonArray());
        current.add("tunnels", new JsonArray());
    }

    /**
     * What is published, and its version.
     *
     * @param listeners the message for the proxy
     * @param version differs whenever the message does
     */
    record Published(String listeners, long version) {}

    /** Has the proxy take tunnels of other nodes here. */
    synchronized void tunnels(InetSocketAddress where) {
        JsonObject one = new JsonObject();
        one.addProperty("address", where.getAddress().getHostAddress());
        one.addProperty("port", where.getPort());
        JsonArray all = new JsonArray();
        all.add(one);
        become("tunnels", all);
    }

    private void become(String name, JsonArray value) {
        if (value.equals(current.get(name))) {
            return;
        }
        JsonObject next = current.deepCopy();
        next.add(name, value);
        current = next;
        version++;
        notifyAll();
    }

    synchronized void set(List<Lease> leases, Function<Lease, String> addressOf) {
        JsonArray listeners = new JsonArray();
        for (Lease lease : leases) {
            if (!lease.live()) {
                continue;
            }
            for (Publication publication : lease.spec().publications()) {
                for (String address : publication.addresses(HostNetwork.hasIpv6())) {
                    JsonObject one = new JsonObject();
                    one.addProperty("address", address);
                    one.addProperty("port", publication.port());
                    one.addProperty("workload", lease.spec().name());
                    one.addProperty("namespace", lease.spec().namespace());
                    one.addProperty("host", host(lease));
                    one.addProperty("targetAddress", addressOf.apply(lease));
                    one.addProperty("targetPort", publication.targetPort());
                    one.addProperty("protocol", protocol(lease, publication.targetPort()));
                    listeners.add(one);
                }
            }
        }
        become("listeners", listeners);
    }

    /** The full name of the workload's service, as its callers inside see it in metrics; empty when it is of none. */
    private static String host(Lease lease) {
        String service = lease.spec().service();
        return service.isEmpty() || service.indexOf('.') >= 0
                ? service
                : service + "." + lease.spec().namespace() + "." + Hosts.SERVICE_DOMAIN;
    }

    private static String protocol(Lease lease, int port) {
        return lease.spec().ports().stream()
                .filter(declared -> declared.number() == port)
                .map(WorkloadPort::protocol)
                .findFirst()
                .orElse(AppProtocol.AUTO)
                .name()
                .toLowerCase(Locale.ROOT);
    }

    /** The message now. */
    synchronized Published now() {
        return new Published(current.toString(), version);
    }

    /** Waits until the message is another one, or for a while; false when there will be none any more. */
    synchronized boolean await(long seen, Duration atMost) throws InterruptedException {
        long deadline = System.nanoTime() + atMost.toNanos();
        while (!closed && version == seen) {
            long left = (deadline - System.nanoTime()) / 1_000_000;
            if (left <= 0) {
                break;
            }
            wait(left);
        }
        return !closed;
    }

    @Override
    public synchronized void close() {
        closed = true;
        notifyAll();
    }
}
