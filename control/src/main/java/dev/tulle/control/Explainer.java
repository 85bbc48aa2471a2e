package dev.tulle.control;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import dev.tulle.model.AppProtocol;
import dev.tulle.model.AuthorizationPolicy;
import dev.tulle.model.Authorizer;
import dev.tulle.model.Caller;
import dev.tulle.model.Candidates;
import dev.tulle.model.Cluster;
import dev.tulle.model.Endpoint;
import dev.tulle.model.EndpointSet;
import dev.tulle.model.Listener;
import dev.tulle.model.Locality;
import dev.tulle.model.LocalityBalance;
import dev.tulle.model.LocalityPreference;
import dev.tulle.model.MeshState;
import dev.tulle.model.PortPath;
import dev.tulle.model.RequestView;
import dev.tulle.model.Route;
import dev.tulle.model.RouteAction;
import dev.tulle.model.RouteConfiguration;
import dev.tulle.model.RouteDecision;
import dev.tulle.model.RouteFilter;
import dev.tulle.model.RouteTable;
import dev.tulle.model.Service;
import dev.tulle.model.ServicePort;
import dev.tulle.model.Verdict;
import dev.tulle.model.WeightedCluster;
import dev.tulle.model.Workload;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.Optional;
import java.util.Random;
import org.jspecify.annotations.Nullable;

/**
 * Says, step by step, what the mesh does with one request, with the object behind each step: with the same values and the
 * same decision code that the proxy uses. Where chance decides, all outcomes are shown.
 */
final class Explainer {
    /** Who calls that is no workload. */
    private static final String OUTSIDE = "outside";

    private static final String CLUSTER_DOMAIN = ".svc.cluster.local";

    private final MeshState state;
    private final EndedWorkloads ended;
    private final JsonArray endpoints = new JsonArray();
    private final JsonArray steps = new JsonArray();
    private final JsonObject answer = new JsonObject();
    private boolean refused;
    private Caller caller = Caller.NONE;
    private Locality place = Locality.NONE;

    /** What policies decide on: the request as its endpoint reads it; null for opaque bytes. */
    private @Nullable RequestView sent;

    private Explainer(MeshState state, EndedWorkloads ended) {
        this.state = state;
        this.ended = ended;
    }

    /**
     * Explains.
     *
     * @param ended the workloads that have ended lately: they are asked about afterwards
     */
    static JsonObject explain(MeshState state, EndedWorkloads ended, JsonObject params) throws ApiFailure {
        ExplainedRequest request = ExplainedRequest.parse(params);
        Explainer explainer = new Explainer(state, ended);
        explainer.run(ControlApi.text(params, "from"), request);
        explainer.answer.add("steps", explainer.steps);
        explainer.answer.add("endpoints", explainer.endpoints);
        explainer.answer.addProperty("refused", explainer.refused);
        return explainer.answer;
    }

    private void run(String from, ExplainedRequest request) throws ApiFailure {
        if (from.equals(OUTSIDE) && named(from).isEmpty()) {
            outside(request);
            return;
        }
        String namespace = source(from);
        answer.addProperty("port", request.port());
        Optional<Service> found = service(request.host(), namespace);
        if (found.isEmpty()) {
            unknown(request);
            return;
        }
        Service service = found.get();
        answer.addProperty("address", service.addresses().getFirst());
        step(
                "service",
                service.namespace() + "/" + service.hostname() + " at "
                        + service.addresses().getFirst(),
                service.origin().toString());
        Optional<ServicePort> port = service.ports().stream()
                .filter(candidate -> candidate.number() == request.port())
                .findFirst();
        if (port.isEmpty()) {
            refused = true;
            step(
                    "port",
                    request.port() + " is not a port of the service; it has "
                            + service.ports().stream()
                                    .map(candidate -> Integer.toString(candidate.number()))
                                    .toList(),
                    service.origin().toString());
            return;
        }
        answer.addProperty("datagrams", port.get().protocol() == AppProtocol.UDP);
        Optional<PortPath> path = service.paths().stream()
                .filter(candidate -> candidate.port() == request.port())
                .findFirst();
        boolean proxied = path.map(PortPath::path).orElse(PortPath.Path.PROXY) == PortPath.Path.PROXY;
        boolean policed = path.map(PortPath::policed).orElse(false);
        step(
                "path",
                (policed
                                ? "kernel (L4) where it enforces the policies of every endpoint, else node proxy"
                                : way(proxied, port.get().protocol()))
                        + path.map(candidate -> ": " + candidate.reason()).orElse(""),
                service.origin().toString());
        answer.addProperty("path", proxied ? "PROXY" : "KERNEL_L4");
        String all = Cluster.nameOf(request.port(), "", service.hostname());
        if (!proxied) {
            clusters(List.of(new WeightedCluster(all, 1)));
            return;
        }
        listener(service, request, all);
    }

    /** What is decided here; which requests the kernel serves by itself is known to the agent of the caller's node. */
    private static String way(boolean proxied, AppProtocol protocol) {
        if (!proxied) {
            return "kernel (L4)";
        }
        return protocol == AppProtocol.HTTP ? "kernel HTTP or node proxy" : "node proxy";
    }

    /** A caller outside the mesh, at its gateway. */
    private void outside(ExplainedRequest request) {
        step("caller", "outside the mesh: it has no identity", "");
        ExplainedGateway found = ExplainedGateway.choose(state, request);
        Listener.Target.Chain chain = found.chain();
        if (chain == null) {
            refused = true;
            step("gateway", found.decision(), "");
            return;
        }
        step("gateway", found.decision(), chain.origin().toString());
        if (chain.target() instanceof Listener.Target.Http http) {
            route(http.routeConfiguration(), request.fromOutside(http.trustedHops()));
        } else if (chain.target() instanceof Listener.Target.Tcp tcp) {
            clusters(tcp.clusters());
        }
    }

    private List<Workload> named(String from) {
        int slash = from.lastIndexOf('/');
        String name = from.substring(slash + 1);
        String namespace = slash < 0 ? "" : from.substring(0, slash);
        return state.workloads().values().stream()
                .filter(workload -> workload.uid().equals(from)
                        || (workload.name().equals(name)
                                && (namespace.isEmpty() || workload.namespace().equals(namespace))))
                .toList();
    }

    /** The caller; answers its namespace. */
    private String source(String from) throws ApiFailure {
        int slash = from.lastIndexOf('/');
        String name = from.substring(slash + 1);
        String namespace = slash < 0 ? "" : from.substring(0, slash);
        List<Workload> named = named(from);
        // A service's name stands for any of its workloads: from "productpage" is what people type first.
        if (named.isEmpty()) {
            named = state.workloads().values().stream()
                    .filter(workload -> workload.services().contains(name)
                            && (namespace.isEmpty() || workload.namespace().equals(namespace)))
                    .toList();
        }
        Optional<EndedWorkloads.Ended> gone = named.isEmpty() ? ended.find(namespace, name) : Optional.empty();
        if (named.isEmpty() && gone.isEmpty()) {
            throw new ApiFailure("not-found", "there is no workload named '" + from + "'");
        }
        Workload workload = gone.map(EndedWorkloads.Ended::workload).orElseGet(named::getFirst);
        step(
                "workload",
                workload.uid() + " at " + String.join(", ", workload.addresses()) + ", service account "
                        + workload.namespace() + "/" + workload.serviceAccount()
                        + gone.map(one -> "; it has ended at " + one.when() + ", this is what would happen now")
                                .orElse(""),
                workload.origin().toString());
        answer.addProperty("ended", gone.isPresent());
        answer.addProperty("workload", workload.uid());
        caller = Caller.of(workload);
        place = state.localities().getOrDefault(workload.node(), Locality.NONE);
        return workload.namespace();
    }

    /** The service that mesh DNS finds for a name, or that has the address. */
    private Optional<Service> service(String host, String namespace) {
        List<String> candidates =
                List.of(host, host + "." + namespace + CLUSTER_DOMAIN, host + CLUSTER_DOMAIN, host + ".cluster.local");
        for (String candidate : candidates) {
            for (Service service : state.services().values()) {
                if (service.hostname().equals(candidate)) {
                    return Optional.of(service);
                }
            }
        }
        return state.services().values().stream()
                .filter(service -> service.addresses().contains(host))
                .findFirst();
    }

    private void unknown(ExplainedRequest request) {
        for (Workload workload : state.workloads().values()) {
            if (workload.addresses().contains(request.host())) {
                answer.addProperty("address", request.host());
                step(
                        "destination",
                        "the address of workload " + workload.uid() + ", called directly: no route applies",
                        workload.origin().toString());
                return;
            }
        }
        step(
                "service",
                "none has the name or address " + request.host() + ": the mesh leaves the connection alone",
                "");
    }

    private void listener(Service service, ExplainedRequest request, String all) {
        String name = Listener.nameOf(service.addresses().getFirst(), request.port());
        Listener listener = state.listeners().get(name);
        if (listener == null) {
            refused = true;
            step("listener", name + " does not exist", service.origin().toString());
            return;
        }
        switch (listener.target()) {
            case Listener.Target.Tcp tcp -> {
                step("listener", name + ": connections are split, bytes are not read", "");
                clusters(tcp.clusters());
            }
            case Listener.Target.Http http
            when http.detect() && !request.http() -> {
                step("listener", name + ": not HTTP, passed as bytes", "");
                clusters(http.fallback().isEmpty() ? List.of(new WeightedCluster(all, 1)) : http.fallback());
            }
            case Listener.Target.Http http -> {
                step("listener", name + ": HTTP, routes " + http.routeConfiguration(), "");
                route(http.routeConfiguration(), request);
            }
            case Listener.Target.Edge _ -> throw new IllegalStateException(name + " is the gateway's");
        }
    }

    private void route(String name, ExplainedRequest request) {
        RouteConfiguration configuration = state.routes().get(name);
        if (configuration == null) {
            refused = true;
            step("route", "route table " + name + " does not exist", "");
            return;
        }
        RouteDecision decision = RouteTable.compile(configuration).decide(request, new Random(0));
        Route route = decision.route();
        if (route == null) {
            refused = true;
            step("route", "404: " + decision.reason(), "");
            return;
        }
        step(
                "route",
                route.name() + " of virtual host " + decision.virtualHost() + " (" + RouteText.match(route.match())
                        + "): " + RouteText.action(route),
                route.origin().toString());
        answer.addProperty("routeName", route.name());
        answer.add("route", RecordJson.of(route.origin()));
        for (RouteFilter filter : route.filters()) {
            step("filter", filter.text(), route.origin().toString());
        }
        if (route.action() instanceof RouteAction.Forward forward) {
            sent = SentRequest.of(request, route, forward);
            clusters(forward.clusters());
        }
    }

    private void clusters(List<WeightedCluster> split) {
        List<WeightedCluster> used = split.size() == 1
                ? split
                : split.stream().filter(share -> share.weight() > 0).toList();
        for (WeightedCluster share : used) {
            Cluster cluster = state.clusters().get(share.cluster());
            if (cluster == null) {
                refused = true;
                step("cluster", share.cluster() + " does not exist", "");
                continue;
            }
            step(
                    "cluster",
                    cluster.name() + ", " + cluster.balancing().name().toLowerCase(Locale.ROOT)
                            + cluster.tls()
                                    .map(tls -> ", TLS to " + tls.serverName())
                                    .orElse(""),
                    cluster.origin().toString());
            endpoints(cluster.name());
        }
    }

    private void endpoints(String cluster) {
        EndpointSet set = state.endpoints().get(cluster);
        List<Endpoint> all =
                set == null ? List.of() : LocalityBalance.seenFrom(place, set).endpoints();
        List<Endpoint> candidates = Candidates.of(all);
        if (set != null) {
            preference(set);
        }
        if (candidates.isEmpty()) {
            refused = true;
            step("endpoint", "none: requests are answered with 503", "");
        }
        long sum = candidates.stream().mapToLong(Endpoint::weight).sum();
        boolean equal =
                candidates.stream().mapToInt(Endpoint::weight).distinct().count() <= 1;
        int denied = 0;
        for (Endpoint endpoint : candidates) {
            JsonObject shown = new JsonObject();
            shown.addProperty("address", endpoint.address());
            shown.addProperty("port", endpoint.port());
            endpoints.add(shown);
            List<Workload> behind = state.workloads().values().stream()
                    .filter(workload -> workload.name().equals(endpoint.workload())
                            && workload.namespace().equals(endpoint.namespace()))
                    .toList();
            List<String> origins = behind.stream()
                    .map(workload -> workload.origin().toString())
                    .toList();
            step(
                    "endpoint",
                    (candidates.size() == 1 ? "" : "one of: ") + endpoint.address() + ":" + endpoint.port()
                            + (endpoint.workload().isEmpty() ? "" : " (" + endpoint.workload() + ")")
                            + (endpoint.locality().isKnown() ? " in " + endpoint.locality() : "")
                            + (equal ? "" : ", weight " + endpoint.weight() + " of " + sum)
                            + (endpoint.healthy() ? "" : ", not ready"),
                    origins.isEmpty() ? "" : origins.getFirst());
            if (!behind.isEmpty() && !isAllowed(behind.getFirst(), endpoint.port())) {
                denied++;
            }
        }
        refused |= denied > 0 && denied == candidates.size();
    }

    private void preference(EndpointSet set) {
        String from =
                place.isKnown() ? "the caller's node is in " + place : "the caller's node does not say where it is";
        switch (set.preference()) {
            case LocalityPreference.Anywhere _ -> {}
            case LocalityPreference.Nearest _ -> step("locality", "the nearest endpoints: " + from, "");
            case LocalityPreference.Split _ -> step("locality", "places have weights: " + from, "");
        }
    }

    /** Shows what the policies of a workload say, if there are any. */
    private boolean isAllowed(Workload workload, int port) {
        Authorizer authorizer = Authorizer.of(workload.policies().stream()
                .map(name -> state.policies().get(name))
                .filter(Objects::nonNull)
                .toList());
        if (authorizer.isEmpty()) {
            return true;
        }
        RequestView request = sent;
        Verdict verdict = request == null
                ? authorizer.tcp(caller, port)
                : authorizer.http(caller, port).decide(request);
        AuthorizationPolicy policy = verdict.policy();
        String answered = request == null ? "refused, the connection is closed: " : "refused with 403: ";
        step(
                "policy",
                (verdict.allowed() ? "allowed: " : answered) + verdict.reason(),
                policy == null
                        ? authorizer.policies().getFirst().origin().toString()
                        : policy.origin().toString());
        return verdict.allowed();
    }

    private void step(String name, String decision, String origin) {
        JsonObject step = new JsonObject();
        step.addProperty("step", name);
        step.addProperty("decision", decision);
        step.addProperty("origin", origin);
        steps.add(step);
    }
}
