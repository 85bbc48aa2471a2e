package dev.tulle.agent;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonPrimitive;
import dev.tulle.agent.datapath.KernelEvent;
import dev.tulle.agent.datapath.WorkloadTraffic;
import dev.tulle.agent.dns.DnsResolver;
import dev.tulle.agent.enrol.Lease;
import dev.tulle.agent.ports.BoundPorts;
import dev.tulle.agent.tier.HookStatus;
import dev.tulle.agent.tier.KernelHttp;
import dev.tulle.agent.tier.TierReport;
import dev.tulle.common.Cidr;
import dev.tulle.common.Ip;
import dev.tulle.common.LocalRefusals;
import dev.tulle.common.Reason;
import dev.tulle.model.AppProtocol;
import dev.tulle.model.Workload.WorkloadPort;
import dev.tulle.telemetry.AccessLogEntry;
import dev.tulle.xds.RegistrationStatus;
import dev.tulle.xds.XdsStatus;
import java.time.Instant;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;

/** What the agent says about itself, as JSON. Owner thread only, but for {@link #flows}. */
final class StatusReport {
    /** How long somebody who was over a share is named. */
    private static final int OVER_SHARE_SECONDS = 60;

    private final AgentOptions options;
    private final AgentState state;
    private final Flows flows;
    private final DnsResolver dns;
    private final LocalRefusals refusals;
    private final SampledRequests samples;
    private final String lastEnd;
    private final Instant started = Instant.now();

    /**
     * A report.
     *
     * @param lastEnd how the agent before this one ended, in words; empty when there was none
     */
    StatusReport(
            AgentOptions options,
            AgentState state,
            Flows flows,
            DnsResolver dns,
            LocalRefusals refusals,
            SampledRequests samples,
            String lastEnd) {
        this.options = options;
        this.state = state;
        this.flows = flows;
        this.dns = dns;
        this.refusals = refusals;
        this.samples = samples;
        this.lastEnd = lastEnd;
    }

    JsonObject status() {
        JsonObject status = new JsonObject();
        status.addProperty("mesh", options.meshName());
        status.addProperty("node", options.node());
        status.addProperty("pid", ProcessHandle.current().pid());
        status.addProperty("started", started.toString());
        status.addProperty("lastEnd", lastEnd);
        status.addProperty(
                "prefix",
                state.network().map(n -> n.prefix()).map(Cidr::toString).orElse(""));
        status.addProperty(
                "workloads", state.leases().stream().filter(Lease::live).count());
        status.addProperty("services", state.services().views().size());
        tiers().entrySet().forEach(entry -> status.add(entry.getKey(), entry.getValue()));
        status.add("counters", counters());
        status.add("xds", xds());
        status.add("registration", registration());
        status.add("dns", dnsCounts());
        status.add("overShare", overShare());
        JsonArray takeover = new JsonArray();
        state.datapath().takeover().forEach(takeover::add);
        status.add("takeover", takeover);
        JsonArray troubles = new JsonArray();
        state.troubles().forEach(troubles::add);
        if (!samples.trouble().isEmpty()) {
            troubles.add(samples.trouble());
        }
        status.add("troubles", troubles);
        status.add("refusals", refusals());
        return status;
    }

    /** What the agent's sockets refused, and whom. */
    private JsonArray refusals() {
        JsonArray all = new JsonArray();
        for (LocalRefusals.Refusal refusal : refusals.all()) {
            JsonObject one = new JsonObject();
            one.addProperty("where", refusal.where());
            one.addProperty("who", refusal.who());
            one.addProperty("why", refusal.why());
            one.addProperty("count", refusal.count());
            one.addProperty("last", refusal.last().toString());
            all.add(one);
        }
        return all;
    }

    JsonObject tiers() {
        JsonObject tiers = new JsonObject();
        String word = state.datapath().tier().word();
        tiers.addProperty("tier", word);
        tiers.addProperty("tierDescription", state.datapath().tier().description());
        JsonArray refused = new JsonArray();
        for (TierReport report : state.tier().refused()) {
            JsonObject one = new JsonObject();
            one.addProperty("tier", report.tier().word());
            one.addProperty("reason", report.reason());
            refused.add(one);
        }
        tiers.add("refused", refused);
        KernelHttp http = state.datapath().http();
        JsonObject kernelHttp = new JsonObject();
        kernelHttp.addProperty("on", http.on());
        kernelHttp.addProperty("reasonCode", http.reason().name());
        kernelHttp.addProperty("reason", http.text());
        tiers.add("kernelHttp", kernelHttp);
        JsonArray hooks = new JsonArray();
        for (HookStatus hook : state.datapath().hooks()) {
            JsonObject one = new JsonObject();
            one.addProperty("name", hook.hook());
            one.addProperty("tier", word);
            one.addProperty("state", hook.active() ? "active" : "off");
            one.addProperty("reason", hook.detail());
            hooks.add(one);
        }
        tiers.add("hooks", hooks);
        return tiers;
    }

    /** The kernel's counters by the reason's name, those that are not zero. */
    private JsonObject counters() {
        TreeMap<String, Long> named = new TreeMap<>();
        long[] counters = state.datapath().counters();
        for (int i = 0; i < counters.length; i++) {
            if (counters[i] != 0) {
                int number = i;
                named.put(Reason.of(i).map(Reason::name).orElseGet(() -> "REASON_" + number), counters[i]);
            }
        }
        JsonObject json = new JsonObject();
        named.forEach(json::addProperty);
        return json;
    }

    private JsonObject xds() {
        XdsStatus xds = state.xds().status();
        JsonObject json = new JsonObject();
        json.addProperty("server", xds.server());
        json.addProperty("connected", xds.connected());
        json.addProperty("since", xds.since().toString());
        json.addProperty("lastTrouble", xds.lastTrouble());
        json.addProperty("connects", xds.connects());
        JsonArray types = new JsonArray();
        for (XdsStatus.TypeStatus type : xds.types()) {
            JsonObject one = new JsonObject();
            one.addProperty("type", type.type());
            one.addProperty("watched", type.watched());
            one.addProperty("present", type.present());
            one.addProperty("waiting", type.waiting());
            one.addProperty("rejected", type.rejected());
            one.addProperty("lastRejection", type.lastRejection());
            types.add(one);
        }
        json.add("types", types);
        return json;
    }

    private JsonObject registration() {
        RegistrationStatus registration = state.registration().status();
        JsonObject json = new JsonObject();
        json.addProperty("connected", registration.connected());
        json.addProperty("since", registration.since().toString());
        json.addProperty("workloads", registration.workloads());
        json.addProperty("unanswered", registration.unanswered());
        json.addProperty("lastTrouble", registration.lastTrouble());
        return json;
    }

    private JsonObject dnsCounts() {
        DnsResolver.Counts counts = dns.counts();
        JsonObject json = new JsonObject();
        json.addProperty("mesh", counts.mesh());
        json.addProperty("cached", counts.cached());
        json.addProperty("forwarded", counts.forwarded());
        json.addProperty("failed", counts.failed());
        json.addProperty("malformed", counts.malformed());
        json.addProperty("refused", counts.refused());
        json.addProperty("dropped", counts.dropped());
        JsonArray askers = new JsonArray();
        for (DnsResolver.AskerCounts asker : counts.askers()) {
            JsonObject one = new JsonObject();
            one.addProperty("asker", asker.asker());
            one.addProperty("asked", asker.asked());
            one.addProperty("refused", asker.refused());
            one.addProperty("dropped", asker.dropped());
            one.addProperty("malformed", asker.malformed());
            askers.add(one);
        }
        json.add("askers", askers);
        return json;
    }

    /** Who has asked more of what all share than is his, lately. */
    private JsonArray overShare() {
        JsonArray over = new JsonArray();
        for (DnsResolver.AskerCounts asker : dns.counts().askers()) {
            if (asker.secondsSinceOver() < OVER_SHARE_SECONDS) {
                JsonObject one = new JsonObject();
                one.addProperty("workload", asker.asker());
                one.addProperty("resource", "DNS");
                one.addProperty(
                        "text",
                        "of " + asker.asked() + " questions " + asker.refused() + " refused and " + asker.dropped()
                                + " dropped, the last " + asker.secondsSinceOver() + " s ago");
                over.add(one);
            }
        }
        return over;
    }

    private String unreachable(Lease lease, AgentState.WorkloadReport report) {
        List<Integer> ports = lease.spec().ports().stream()
                .filter(port -> port.protocol() != AppProtocol.UDP)
                .map(WorkloadPort::number)
                .toList();
        return Ip.parse(state.addressOf(lease))
                .map(own -> BoundPorts.unreachable(own, ports, report.listens()))
                .orElse("");
    }

    JsonArray workloads() {
        JsonArray workloads = new JsonArray();
        Map<Integer, WorkloadTraffic> traffic = state.datapath().traffic(state.leases());
        for (AgentState.WorkloadReport report : state.workloads()) {
            Lease lease = report.lease();
            JsonObject one = new JsonObject();
            one.addProperty("uid", state.uid(lease));
            one.addProperty("name", lease.spec().name());
            one.addProperty("namespace", lease.spec().namespace());
            one.addProperty("service", lease.spec().service());
            one.addProperty("address", state.addressOf(lease));
            JsonArray ports = new JsonArray();
            for (WorkloadPort port : lease.spec().ports()) {
                ports.add(port.protocol().name().toLowerCase(Locale.ROOT) + ":" + port.number());
            }
            one.add("ports", ports);
            JsonObject labels = new JsonObject();
            lease.spec().labels().forEach(labels::addProperty);
            one.add("labels", labels);
            one.addProperty("cgroup", lease.group());
            one.addProperty("state", lease.state().name().toLowerCase(Locale.ROOT));
            one.addProperty("started", lease.started().toString());
            one.addProperty("healthy", report.healthy());
            one.addProperty("registered", report.registered());
            one.addProperty("refusal", report.refusal());
            one.addProperty("probe", report.probe());
            JsonArray listens = new JsonArray();
            report.listens().forEach(at -> listens.add(Ip.text(at.getAddress(), at.getPort())));
            one.add("listens", listens);
            one.addProperty("unreachable", unreachable(lease, report));
            WorkloadTraffic used = traffic.getOrDefault(lease.id(), WorkloadTraffic.NONE);
            one.addProperty("bytesSent", used.meshSent() + used.wireSent());
            one.addProperty("bytesReceived", used.meshReceived() + used.wireReceived());
            one.addProperty("meshBytesSent", used.meshSent());
            one.addProperty("meshBytesReceived", used.meshReceived());
            one.addProperty("wireBytesSent", used.wireSent());
            one.addProperty("wireBytesReceived", used.wireReceived());
            one.addProperty("wirePacketsSent", used.wireSentPackets());
            one.addProperty("wirePacketsReceived", used.wireReceivedPackets());
            one.addProperty("connectionsOpened", used.opened());
            one.addProperty("connectionsAccepted", used.accepted());
            one.addProperty("connections", used.connections());
            workloads.add(one);
        }
        return workloads;
    }

    JsonElement flows(JsonObject params) {
        // A number that is none means the usual one: there is nobody to refuse a look to.
        int most = params.get("last") instanceof JsonPrimitive last
                        && last.getAsString().matches("[0-9]{1,9}")
                ? Math.clamp(last.getAsInt(), 1, Flows.KEPT)
                : 100;
        JsonArray array = new JsonArray();
        for (Flows.Flow flow :
                flows.last(most, params.has("after") ? params.get("after").getAsLong() : 0)) {
            JsonObject one = new JsonObject();
            one.addProperty("number", flow.number());
            one.addProperty("time", flow.time().toString());
            switch (flow) {
                case Flows.Flow.Event(long _, Instant _, KernelEvent event) -> {
                    put(one, event);
                    nameWorkloads(one, event);
                }
                case Flows.Flow.Request(long _, Instant _, AccessLogEntry entry) -> put(one, entry);
            }
            array.add(one);
        }
        return array;
    }

    /** The workloads of an event, as far as they still have their numbers. */
    private void nameWorkloads(JsonObject one, KernelEvent event) {
        for (Lease lease : state.leases()) {
            if (lease.id() == event.workload()) {
                one.addProperty("workload", lease.key());
            }
            if (event.destination().startsWith(lease.addressText() + ":")) {
                one.addProperty("to", lease.key());
            }
        }
    }

    private static void put(JsonObject one, KernelEvent event) {
        one.addProperty("hook", event.what());
        one.addProperty("verdict", event.reason().kind() == Reason.Kind.REFUSED ? "refused" : "passed");
        one.addProperty("reason", event.reason().name());
        one.addProperty("text", event.reason().text());
        one.addProperty("source", event.source());
        one.addProperty("destination", event.destination());
        one.addProperty("protocol", event.protocol());
        one.addProperty("pid", event.pid());
        one.addProperty("command", event.command());
        KernelEvent.Ended ended = event.ended();
        if (!ended.equals(KernelEvent.Ended.NOTHING)) {
            one.addProperty("bytesSent", ended.sent());
            one.addProperty("bytesReceived", ended.received());
            one.addProperty("micros", ended.nanos() / 1000);
            one.addProperty("rttMicros", ended.rttMicros());
            one.addProperty("retransmits", ended.retransmits());
        }
    }

    private static void put(JsonObject one, AccessLogEntry entry) {
        one.addProperty("hook", "http");
        one.addProperty("verdict", "passed");
        one.addProperty("reason", Reason.HTTP_SAMPLED.name());
        one.addProperty("text", entry.details());
        one.addProperty("source", entry.downstreamRemote());
        one.addProperty("destination", entry.upstream());
        one.addProperty("protocol", entry.protocol());
        one.addProperty("workload", entry.source());
        one.addProperty("method", entry.method());
        one.addProperty("target", entry.target());
        one.addProperty("authority", entry.authority());
        one.addProperty("code", entry.code());
        one.addProperty("requestBytes", entry.received());
        one.addProperty("responseBytes", entry.sent());
        one.addProperty("micros", entry.durationMicros());
        one.addProperty("dialled", entry.downstreamLocal());
        one.addProperty("cluster", entry.cluster());
        one.addProperty("route", entry.route());
    }
}
