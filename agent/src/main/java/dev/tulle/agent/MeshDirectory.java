package dev.tulle.agent;

import dev.tulle.agent.dns.DnsResolver;
import dev.tulle.agent.enrol.Lease;
import dev.tulle.agent.service.ServiceDirectory.Finding;
import dev.tulle.common.Ip;
import dev.tulle.model.Service;
import java.net.InetAddress;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** What DNS asks of the mesh. Thread-safe; blocks the asking (virtual) thread until the owner thread has answered. */
final class MeshDirectory implements DnsResolver.Directory {
    /** How long a question waits for the control plane and the kernel. */
    private static final Duration TIMEOUT = Duration.ofSeconds(2);

    private static final System.Logger LOG = System.getLogger(MeshDirectory.class.getName());

    private final AgentLoop loop;
    private final AgentState state;

    MeshDirectory(AgentLoop loop, AgentState state) {
        this.loop = loop;
        this.state = state;
    }

    /**
     * By address where each workload has its own, which only the kernel hands out. In the lower tiers all share one, and
     * a datagram does not say whose it is: there the namespace is known only while all workloads are of one.
     */
    @Override
    public String namespaceOf(InetAddress source, int port) {
        try {
            return loop.call(() -> {
                Optional<Lease> caller = state.byAddress(Ip.text(source));
                if (caller.isPresent()) {
                    return caller.get().spec().namespace();
                }
                List<String> namespaces = state.leases().stream()
                        .map(lease -> lease.spec().namespace())
                        .distinct()
                        .toList();
                boolean shared = !state.datapath().tier().hasOwnAddresses();
                return shared && namespaces.size() == 1 ? namespaces.getFirst() : "default";
            });
        } catch (Exception e) {
            LOG.log(System.Logger.Level.DEBUG, "namespace of " + source, e);
            return "default";
        }
    }

    @Override
    public DnsResolver.Lookup addressesOf(String namespace, String hostname) {
        CompletableFuture<Finding> answer = new CompletableFuture<>();
        loop.execute(() -> {
            var _ = state.services().find(namespace, hostname).thenAccept(answer::complete);
        });
        try {
            return switch (answer.get(TIMEOUT.toMillis(), TimeUnit.MILLISECONDS)) {
                case Finding.Found(Service service) -> new DnsResolver.Lookup.Known(service.addresses());
                case Finding.None _ -> new DnsResolver.Lookup.Absent();
                case Finding.Unknown _ -> new DnsResolver.Lookup.Unknown();
            };
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return new DnsResolver.Lookup.Unknown();
        } catch (ExecutionException | TimeoutException e) {
            return new DnsResolver.Lookup.Unknown();
        }
    }

    @Override
    public Optional<String> hostnameOf(String address) {
        try {
            return loop.call(() -> state.services().at(address).map(Service::hostname));
        } catch (Exception e) {
            LOG.log(System.Logger.Level.DEBUG, "name of " + address, e);
            return Optional.empty();
        }
    }
}
