package dev.tulle.agent;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import dev.tulle.agent.datapath.KernelDatapath.OutboundPolicy;
import dev.tulle.agent.datapath.MeshNetwork;
import dev.tulle.agent.enrol.EnrolSpec.Splicing;
import dev.tulle.agent.enrol.Lease;
import dev.tulle.agent.http.HttpTable;
import dev.tulle.agent.service.Guard;
import dev.tulle.agent.service.PortTarget;
import dev.tulle.agent.service.ServiceView;
import dev.tulle.agent.tier.Tier;
import dev.tulle.common.Ip;
import dev.tulle.common.Reason;
import dev.tulle.model.AppProtocol;
import dev.tulle.model.Authorizer;
import dev.tulle.model.Endpoint;
import java.net.InetAddress;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * Says which way a connection of a workload would take now, in the order in which the programs decide. Owner thread only.
 */
final class PathExplainer {
    private final AgentOptions options;
    private final AgentState state;

    PathExplainer(AgentOptions options, AgentState state) {
        this.options = options;
        this.state = state;
    }

    /** The answer: {@code path}, {@code reason}, {@code tier}, {@code splice} and the steps. */
    private record Verdict(String path, Reason reason, String text, boolean splice) {}

    /** @param route the name of the route that a request takes, where it is known; else empty */
    JsonObject explain(Lease from, String address, int port, String route) {
        Tier tier = state.datapath().tier();
        Verdict verdict = decide(tier, from, address, port, route);
        JsonObject answer = new JsonObject();
        answer.addProperty("from", state.uid(from));
        answer.addProperty("address", address);
        answer.addProperty("port", port);
        answer.addProperty("path", verdict.path());
        answer.addProperty("reasonCode", verdict.reason().name());
        answer.addProperty("reason", verdict.text());
        answer.addProperty("splice", verdict.splice());
        answer.addProperty("tier", tier.word());
        JsonArray steps = new JsonArray();
        steps.add(step("workload", state.uid(from) + " at " + state.addressOf(from), "lease " + from.group()));
        steps.add(step("path", verdict.path() + (verdict.splice() ? ", spliced" : tcp(verdict)), verdict.text()));
        String refused = state.tier().refused().stream()
                .map(report -> report.tier().word() + " refused: " + report.reason())
                .collect(Collectors.joining("; "));
        steps.add(step("tier", tier.word(), refused.isEmpty() ? tier.description() : refused));
        answer.add("steps", steps);
        return answer;
    }

    /** What could skip TCP and does not. */
    private String tcp(Verdict verdict) {
        boolean could = state.datapath().tier() == Tier.SPLICE
                && Set.of("kernel", "direct").contains(verdict.path());
        return could ? ", over TCP (--splice on at both ends would skip it)" : "";
    }

    private static JsonObject step(String step, String decision, String origin) {
        JsonObject json = new JsonObject();
        json.addProperty("step", step);
        json.addProperty("decision", decision);
        json.addProperty("origin", origin);
        return json;
    }

    private Verdict decide(Tier tier, Lease from, String text, int port, String route) {
        InetAddress address = Ip.parse(text).orElseThrow();
        String canonical = Ip.text(address);
        boolean splices = tier == Tier.SPLICE && splicesAll(from);
        Optional<ServiceView> view = state.services().views().stream()
                .filter(one -> one.service().addresses().contains(canonical))
                .findFirst();
        boolean service = options.serviceRange().contains(canonical) || view.isPresent();
        if (tier == Tier.EXPLICIT) {
            return service
                    ? new Verdict("proxy", Reason.NONE, "the program uses the proxy named by HTTP_PROXY", false)
                    : new Verdict("untouched", Reason.CONNECT_OUTSIDE, "nothing is captured in this tier", false);
        }
        if (tier == Tier.NFTABLES) {
            return service
                    ? new Verdict("proxy", Reason.CONNECT_PROXY, "nftables redirects the service range", false)
                    : new Verdict("untouched", Reason.CONNECT_OUTSIDE, Reason.CONNECT_OUTSIDE.text(), false);
        }
        if (port == 53) {
            return new Verdict("dns", Reason.CONNECT_DNS, Reason.CONNECT_DNS.text(), false);
        }
        if (address.isLoopbackAddress()) {
            return new Verdict(
                    "localhost",
                    Reason.CONNECT_LOCALHOST,
                    "goes to " + from.addressText() + " if the workload listens on port " + port
                            + " there, else untouched",
                    splices);
        }
        if (view.isPresent()) {
            PortTarget target = view.get().targets().get(port);
            return target == null
                    ? unknown(port, view.get(), splices)
                    : ofTarget(from, target, route, splices, isUdp(view.get(), port));
        }
        if (options.serviceRange().contains(canonical)) {
            return options.outboundPolicy() == OutboundPolicy.REGISTRY_ONLY
                    ? new Verdict("refused", Reason.UNKNOWN_VIP, Reason.UNKNOWN_VIP.text(), false)
                    : new Verdict("proxy", Reason.CONNECT_ASK, Reason.CONNECT_ASK.text(), splices);
        }
        Optional<MeshNetwork> network = state.network();
        if (options.range().contains(canonical)) {
            boolean local = network.map(n -> n.prefix().contains(canonical)).orElse(false);
            boolean known = state.byAddress(canonical).isPresent();
            if (local && !known) {
                return new Verdict("refused", Reason.GUARD_NO_WORKLOAD, Reason.GUARD_NO_WORKLOAD.text(), false);
            }
            Asked asked = ask(from, canonical, port);
            return switch (asked.answer()) {
                case ALLOWED ->
                    new Verdict(
                            "direct",
                            Reason.CONNECT_DIRECT,
                            asked.after(Reason.CONNECT_DIRECT.text()),
                            splices && splicesAll(canonical));
                case REFUSED -> new Verdict("refused", Reason.GUARD_POLICY, asked.text(), false);
                case UNKNOWN -> new Verdict("proxy", Reason.CONNECT_PROXY, asked.text(), splices);
            };
        }
        return options.outboundPolicy() == OutboundPolicy.REGISTRY_ONLY
                ? new Verdict("refused", Reason.REGISTRY_ONLY, Reason.REGISTRY_ONLY.text(), false)
                : new Verdict("untouched", Reason.CONNECT_OUTSIDE, Reason.CONNECT_OUTSIDE.text(), false);
    }

    private Verdict unknown(int port, ServiceView view, boolean splices) {
        String text = view.service().hostname() + " has no port " + port;
        return options.outboundPolicy() == OutboundPolicy.REGISTRY_ONLY
                ? new Verdict("refused", Reason.UNKNOWN_VIP, text, false)
                : new Verdict("proxy", Reason.CONNECT_ASK, text, splices);
    }

    private enum Answer {
        ALLOWED,
        REFUSED,
        /** The node proxy is asked. */
        UNKNOWN
    }

    /** What policies say; empty text where there are none. */
    private record Asked(Answer answer, String text) {
        String after(String before) {
            return text.isEmpty() ? before : before + "; " + text;
        }
    }

    /** No policy is about it; datagrams are not subject to policies at all. */
    private static final Asked NOT_ASKED = new Asked(Answer.ALLOWED, "");

    private static boolean isUdp(ServiceView view, int port) {
        return view.service().ports().stream()
                .anyMatch(one -> one.number() == port && one.protocol() == AppProtocol.UDP);
    }

    /** Asks as the programs do for TCP: of a workload of this host, by its own port. */
    private Asked ask(Lease from, String address, int port) {
        Optional<Lease> target = state.byAddress(address);
        if (target.isEmpty()) {
            return NOT_ASKED;
        }
        return switch (state.guarded().guards().of(target.get().key())) {
            case Guard.Known(Authorizer authorizer) when authorizer.isEmpty() -> NOT_ASKED;
            case Guard.Known(Authorizer _)
            when !state.datapath().enforcesPolicies() ->
                new Asked(Answer.UNKNOWN, "policies are about " + address + ", and the guard is not in force");
            case Guard.Known(Authorizer authorizer) -> {
                dev.tulle.model.Verdict verdict = authorizer.tcp(from.caller(), port);
                if (verdict.allowed()) {
                    yield new Asked(Answer.ALLOWED, "allowed at " + address + ": " + verdict.reason());
                }
                boolean itself = target.get().key().equals(from.key());
                yield new Asked(
                        itself ? Answer.UNKNOWN : Answer.REFUSED,
                        (itself ? "the proxy refuses: " : "refused at " + address + ": ") + verdict.reason());
            }
            case Guard.Unknown _ -> new Asked(Answer.UNKNOWN, "the policies of " + address + " are not known yet");
            case Guard.Kept _ ->
                new Asked(Answer.ALLOWED, "policies of " + address + " as the earlier agent left them");
        };
    }

    private Verdict ofTarget(Lease from, PortTarget target, String route, boolean splices, boolean udp) {
        return switch (target) {
            case PortTarget.Proxy(Reason reason, String text) -> new Verdict("proxy", reason, text, splices);
            case PortTarget.Http(HttpTable table) ->
                http(
                        table,
                        route,
                        state.datapath().tier() == Tier.SPLICE && from.spec().splicing() != Splicing.NONE);
            case PortTarget.Undecided _ ->
                new Verdict("proxy", Reason.NONE, "the endpoints are not known yet", splices);
            case PortTarget.Kernel(var slots, var _)
            when slots.isEmpty() -> new Verdict("refused", Reason.NO_ENDPOINT, Reason.NO_ENDPOINT.text(), false);
            case PortTarget.Kernel(var slots, var _) -> ofEndpoints(from, slots, splices, udp);
        };
    }

    /** Where all endpoints have the same answer that is the answer, else the texts say which has which. */
    private Verdict ofEndpoints(Lease from, List<Endpoint> slots, boolean splices, boolean udp) {
        List<Asked> asked = slots.stream()
                .distinct()
                .map(endpoint -> udp ? NOT_ASKED : ask(from, endpoint.address(), endpoint.port()))
                .distinct()
                .toList();
        String said =
                asked.stream().map(Asked::text).filter(text -> !text.isEmpty()).collect(Collectors.joining("; "));
        String text = "one of " + endpoints(slots) + (said.isEmpty() ? "" : "; " + said);
        if (asked.stream().allMatch(one -> one.answer() == Answer.REFUSED)) {
            return new Verdict("refused", Reason.GUARD_POLICY, text, false);
        }
        if (asked.stream().allMatch(one -> one.answer() == Answer.UNKNOWN)) {
            return new Verdict("proxy", Reason.CONNECT_PROXY, text, splices);
        }
        boolean all = splices && slots.stream().allMatch(endpoint -> splicesAll(endpoint.address()));
        return new Verdict("kernel", Reason.CONNECT_KERNEL, text, all);
    }

    private static boolean splicesAll(Lease workload) {
        return workload.spec().splicing() == Splicing.ALL;
    }

    /** Whether a workload of this host has the address that wants all of its connections spliced. */
    private boolean splicesAll(String address) {
        return state.byAddress(address).map(PathExplainer::splicesAll).orElse(false);
    }

    /** Of a request whose route is known, the way that it takes; else what holds for the port. */
    private static Verdict http(HttpTable table, String name, boolean splices) {
        Optional<HttpTable.Route> taken = table.routes().stream()
                .filter(route -> !name.isEmpty() && route.name().equals(name))
                .findFirst();
        if (taken.isPresent() && !taken.get().forwards()) {
            HttpTable.Route route = taken.get();
            return new Verdict("proxy", route.reason(), "route " + route.name() + ": " + route.text(), splices);
        }
        String text = "the kernel forwards what is plain HTTP/1.1 to a connection of the proxy's pool";
        Optional<String> other = table.firstToProxy()
                .filter(route -> taken.isEmpty())
                .map(route -> "; route " + route.name() + " is the proxy's: " + route.text());
        return new Verdict("kernel-http", Reason.NONE, text + other.orElse(""), splices);
    }

    private static String endpoints(List<Endpoint> slots) {
        return slots.stream()
                .map(endpoint -> endpoint.address() + ":" + endpoint.port())
                .distinct()
                .collect(Collectors.joining(", "));
    }
}
