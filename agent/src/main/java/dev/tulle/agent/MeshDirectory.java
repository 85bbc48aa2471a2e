package dev.tulle.agent;

import dev.tulle.agent.dns.Asker;
import dev.tulle.agent.dns.DnsResolver;
import dev.tulle.agent.service.ServiceDirectory.Finding;
import dev.tulle.model.Service;
import java.net.InetAddress;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** What DNS asks of the mesh. Thread-safe; only {@link #addressesOf} waits for the owner thread. */
final class MeshDirectory implements DnsResolver.Directory {
    /** How long a question waits for the control plane and the kernel. */
    private static final Duration TIMEOUT = Duration.ofSeconds(2);

    private final AgentLoop loop;
    private final AgentState state;

    MeshDirectory(AgentLoop loop, AgentState state) {
        this.loop = loop;
        this.state = state;
    }

    /**
     * By address where each workload has its own, which only the kernel hands out. In the lower tiers all share one, and
     * a datagram does not say whose it is: there all are one asker, whose namespace is known only while all workloads are
     * of one.
     */
    @Override
    public Asker askerAt(InetAddress source) {
        return state.askers().at(source);
    }

    @Override
    public Optional<DnsResolver.Lookup> known(String namespace, String hostname) {
        return state.services().known(namespace, hostname).map(MeshDirectory::lookup);
    }

    @Override
    public DnsResolver.Lookup addressesOf(String namespace, String hostname, Asker asker) {
        CompletableFuture<Finding> answer = new CompletableFuture<>();
        try {
            loop.execute(() -> {
                var _ = state.services()
                        .find(namespace, hostname, asker.workload())
                        .thenAccept(answer::complete);
            });
            return lookup(answer.get(TIMEOUT.toMillis(), TimeUnit.MILLISECONDS));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return new DnsResolver.Lookup.Unknown();
        } catch (ExecutionException | TimeoutException | RejectedExecutionException e) {
            return new DnsResolver.Lookup.Unknown();
        }
    }

    private static DnsResolver.Lookup lookup(Finding finding) {
        return switch (finding) {
            case Finding.Found(Service service) -> new DnsResolver.Lookup.Known(service.addresses());
            case Finding.None _ -> new DnsResolver.Lookup.Absent();
            case Finding.Unknown _ -> new DnsResolver.Lookup.Unknown();
        };
    }

    @Override
    public Optional<String> hostnameOf(String address) {
        return state.services().hostnameAt(address);
    }
}
