package dev.tulle.agent;

import dev.tulle.agent.dns.DnsResolver;
import dev.tulle.agent.tier.Tier;
import dev.tulle.common.Page;
import dev.tulle.common.PageServer;
import dev.tulle.common.Reason;
import dev.tulle.telemetry.MetricRegistry;
import java.io.IOException;
import java.net.InetAddress;
import java.util.HashMap;
import java.util.Map;

/**
 * The agent's metrics and readiness on 127.0.0.1: {@code /metrics}, and {@code /healthz/ready}, which answers 200 once the
 * node has a prefix and the data path is in force.
 */
final class MetricsServer implements AutoCloseable {
    private final AgentLoop loop;
    private final AgentState state;
    private final DnsResolver dns;
    private final MetricRegistry registry;
    private final PageServer server;
    /** What was told so far of refusals by policy; owner thread only. */
    private final Map<String, Long> policyDenials = new HashMap<>();

    private MetricsServer(
            AgentLoop loop, AgentState state, DnsResolver dns, MetricRegistry registry, PageServer server) {
        this.loop = loop;
        this.state = state;
        this.dns = dns;
        this.registry = registry;
        this.server = server;
    }

    /**
     * Starts to serve.
     *
     * @throws IOException when the port is taken
     */
    static MetricsServer start(int port, AgentLoop loop, AgentState state, DnsResolver dns, MetricRegistry registry)
            throws IOException {
        PageServer pages = PageServer.start("agent-pages", PageServer.Limits.DEFAULT);
        MetricsServer server = new MetricsServer(loop, state, dns, registry, pages);
        try {
            pages.listen(
                    InetAddress.getLoopbackAddress(),
                    port,
                    Map.of("/metrics", server::metrics, "/healthz/ready", server::ready));
            return server;
        } catch (IOException e) {
            pages.close();
            throw new IOException("metrics and readiness: " + e.getMessage(), e);
        }
    }

    private Page.Answer metrics() throws Exception {
        loop.call(() -> {
            refresh();
            return true;
        });
        return new Page.Answer(200, Page.PROMETHEUS, registry.expose());
    }

    private void refresh() {
        state.httpMetrics().collect();
        state.tcpMetrics().collect();
        long[] counters = state.datapath().counters();
        for (Reason reason : Reason.values()) {
            if (reason.number() < counters.length && counters[reason.number()] != 0) {
                registry.gauge("tulle_kernel_events", "What the kernel programs counted, by reason.", "reason", "kind")
                        .with(reason.name(), reason.kind().name())
                        .set(counters[reason.number()]);
            }
        }
        state.datapath().policyDenials().forEach((policy, count) -> {
            long before = policyDenials.getOrDefault(policy, 0L);
            registry.counter(
                            "tulle_kernel_policy_denied_total",
                            "Connections that the kernel refused by authorization, by policy; none where no ALLOW matches.",
                            "policy")
                    .with(policy)
                    .add(Math.max(0, count - before));
            policyDenials.put(policy, count);
        });
        for (Tier tier : Tier.values()) {
            registry.gauge("tulle_agent_tier", "1 for the tier in force.", "tier")
                    .with(tier.word())
                    .set(tier == state.datapath().tier() ? 1 : 0);
        }
        gauge(
                "tulle_agent_workloads",
                "Workloads enrolled on this node.",
                state.leases().size());
        gauge(
                "tulle_agent_services",
                "Services that this node's workloads use.",
                state.services().views().size());
        gauge(
                "tulle_agent_xds_connected",
                "1 while the control plane answers.",
                state.xds().status().connected() ? 1 : 0);
        DnsResolver.Counts counts = dns.counts();
        dnsAnswers("mesh", counts.mesh());
        dnsAnswers("cached", counts.cached());
        dnsAnswers("forwarded", counts.forwarded());
        dnsAnswers("failed", counts.failed());
        dnsAnswers("malformed", counts.malformed());
        dnsAnswers("refused", counts.refused());
        dnsAnswers("dropped", counts.dropped());
        for (DnsResolver.AskerCounts asker : counts.askers()) {
            long over = asker.refused() + asker.dropped();
            if (over > 0) {
                registry.gauge(
                                "tulle_agent_dns_over_share",
                                "DNS questions since the start that were refused or dropped as over the asker's share.",
                                "workload")
                        .with(asker.asker())
                        .set(over);
            }
        }
    }

    private void gauge(String name, String help, long value) {
        registry.gauge(name, help, new String[0]).with().set(value);
    }

    private void dnsAnswers(String kind, long value) {
        registry.gauge("tulle_agent_dns_answers", "DNS questions since the start, by how they were answered.", "kind")
                .with(kind)
                .set(value);
    }

    private Page.Answer ready() throws Exception {
        String trouble = loop.call(
                () -> state.network().isEmpty() ? "no address prefix from the control plane yet" : state.unready());
        return trouble.isEmpty() ? Page.Answer.text("ready\n") : Page.Answer.unavailable(trouble);
    }

    @Override
    public void close() {
        server.close();
    }
}
