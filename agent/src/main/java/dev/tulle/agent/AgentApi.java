package dev.tulle.agent;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import dev.tulle.agent.enrol.EnrolRequest;
import dev.tulle.agent.enrol.EnrolSpec;
import dev.tulle.agent.enrol.Lease;
import dev.tulle.agent.enrol.Probe;
import dev.tulle.agent.enrol.RefusedException;
import dev.tulle.agent.enrol.RefusedException.Code;
import dev.tulle.agent.host.Cgroups;
import dev.tulle.agent.identity.LocalIdentities;
import dev.tulle.agent.tier.Tier;
import dev.tulle.common.Ip;
import dev.tulle.xds.RegistrationAnswer;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** The methods of {@code agent.sock}. Thread-safe: everything happens on the owner thread. */
final class AgentApi {
    /** How long a first request waits for the node's prefix. */
    private static final Duration PREFIX_TIMEOUT = Duration.ofSeconds(5);

    /** How long a start waits until its workload can be found. */
    private static final Duration KNOWN_PATIENCE = Duration.ofSeconds(2);

    private final AgentOptions options;
    private final AgentLoop loop;
    private final AgentState state;
    private final Cgroups cgroups;
    private final StatusReport status;
    private final LocalIdentities identities;
    private final Runnable detach;

    /**
     * The methods.
     *
     * @param detach removes every trace and ends the agent
     */
    AgentApi(
            AgentOptions options,
            AgentLoop loop,
            AgentState state,
            Cgroups cgroups,
            StatusReport status,
            LocalIdentities identities,
            Runnable detach) {
        this.options = options;
        this.loop = loop;
        this.state = state;
        this.cgroups = cgroups;
        this.status = status;
        this.identities = identities;
        this.detach = detach;
    }

    LocalApi api() {
        return new LocalApi(Map.of(
                "run", (params, asker) -> run(params, asker.isForOwner()),
                "release", (params, _) -> release(params),
                "workloads", (_, _) -> loop.call(status::workloads),
                "status", (_, _) -> status(),
                "tiers", (_, _) -> loop.call(status::tiers),
                "flows", (params, _) -> loop.call(() -> status.flows(params)),
                "paths", (params, _) -> paths(text(params, "requests", "")),
                "explain-path", (params, _) -> explain(params),
                "certificates", (_, _) -> IdentityJson.of(identities.reports()),
                "detach", (_, _) -> detach()));
    }

    private JsonElement run(JsonObject params, boolean forOwner) throws Exception {
        EnrolSpec spec = EnrolRequest.parse(params);
        checkProbes(spec, forOwner);
        long deadline = System.nanoTime() + PREFIX_TIMEOUT.toNanos();
        while (loop.call(() -> state.network().isEmpty()) && System.nanoTime() < deadline) {
            Thread.sleep(50);
        }
        Enrolled enrolled = loop.call(() -> {
            Lease lease = state.enrol(spec);
            return new Enrolled(lease, state.announced(lease));
        });
        List<String> unknown = isFound(spec) ? awaitKnown(enrolled) : List.of();
        return loop.call(() -> {
            Lease lease = enrolled.lease();
            JsonObject answer = new JsonObject();
            answer.addProperty("workload", state.uid(lease));
            answer.addProperty("name", lease.spec().name());
            JsonArray warnings = new JsonArray();
            warnings(lease.spec()).forEach(warnings::add);
            unknown.forEach(warnings::add);
            answer.add("warnings", warnings);
            answer.addProperty("cgroup", cgroups.directory(lease.group()).toString());
            answer.addProperty("address", state.addressOf(lease));
            answer.addProperty("tier", state.datapath().tier().word());
            answer.add("env", environment(lease));
            return answer;
        });
    }

    /** A lease, and what the control plane says of it. */
    private record Enrolled(Lease lease, Future<RegistrationAnswer> answer) {}

    /** True for a workload that others may look for: one that only calls need not wait until it is known. */
    private static boolean isFound(EnrolSpec spec) {
        return !spec.service().isEmpty()
                || !spec.ports().isEmpty()
                || !spec.labels().isEmpty();
    }

    /** Waits for the control plane, which answers when everybody has heard of the workload. What is to be said if not. */
    private static List<String> awaitKnown(Enrolled enrolled) throws InterruptedException {
        String key = enrolled.lease().key();
        try {
            return enrolled.answer().get(KNOWN_PATIENCE.toMillis(), TimeUnit.MILLISECONDS)
                            instanceof RegistrationAnswer.Refused refused
                    ? List.of("the control plane refuses " + key + ", so nobody finds it: " + refused.reason())
                    : List.of();
        } catch (TimeoutException e) {
            return List.of("the control plane has not answered within " + KNOWN_PATIENCE.toSeconds()
                    + " s: nobody finds " + key + " until it does");
        } catch (ExecutionException e) {
            throw new IllegalStateException("the registration of " + key + " failed", e);
        }
    }

    /** Commands of probes run as the agent does: who may enrol must not become root by that. */
    static void checkProbes(EnrolSpec spec, boolean forOwner) throws RefusedException {
        if (!forOwner && spec.probes().stream().anyMatch(probe -> probe.check() instanceof Probe.Check.Exec)) {
            throw new RefusedException(
                    Code.FORBIDDEN,
                    "probe 'exec:…': its command would run as root, so only root may ask for it; expected"
                            + " tcp:PORT, http:PORT/PATH or grpc:PORT");
        }
    }

    /** What was accepted and will hardly be what was meant, one sentence each. */
    static List<String> warnings(EnrolSpec spec) {
        List<String> warnings = new ArrayList<>();
        if (!spec.service().isEmpty() && spec.ports().isEmpty()) {
            warnings.add(
                    "--service " + spec.service() + " without --port: a service has the ports that its workloads or"
                            + " a Service object declare; with none its name does not exist. Expected for example --port"
                            + " http:8080");
        }
        String[] labels = spec.service().split("\\.");
        if (labels.length > 2 && labels[2].equals("svc") && !labels[1].equals(spec.namespace())) {
            warnings.add("--service " + spec.service() + " is of the namespace " + labels[1] + ", the workload of "
                    + spec.namespace() + ": it takes a share of that service's requests, and no policy of "
                    + labels[1] + " with a selector guards it. Expected --namespace " + labels[1]);
        }
        return warnings;
    }

    private JsonObject environment(Lease lease) {
        Tier tier = state.datapath().tier();
        JsonObject env = new JsonObject();
        env.addProperty("TULLE_WORKLOAD", lease.spec().name());
        env.addProperty("TULLE_NAMESPACE", lease.spec().namespace());
        env.addProperty("TULLE_ADDRESS", state.addressOf(lease));
        if (!tier.hasOwnAddresses() && !lease.spec().ports().isEmpty()) {
            env.addProperty(
                    "PORT", Integer.toString(lease.spec().ports().getFirst().number()));
        }
        if (tier == Tier.EXPLICIT) {
            String proxy = "http://127.0.0.1:" + options.explicitPort();
            env.addProperty("http_proxy", proxy);
            env.addProperty("HTTP_PROXY", proxy);
            env.addProperty("no_proxy", "127.0.0.1,localhost,::1");
            env.addProperty("NO_PROXY", "127.0.0.1,localhost,::1");
        }
        return env;
    }

    private JsonElement status() throws Exception {
        JsonArray proxy = ProxyMetrics.overShare(options.proxyMetricsPort());
        JsonObject all = loop.call(status::status);
        all.getAsJsonArray("overShare").addAll(proxy);
        return all;
    }

    private JsonElement release(JsonObject params) throws Exception {
        String key = key(text(params, "namespace", "default"), text(params, "name", ""));
        loop.call(() -> {
            state.release(key);
            return key;
        });
        return new JsonArray();
    }

    /** @param requests "false" when nobody wants to know how many requests the proxy has answered, which takes time */
    private JsonElement paths(String requests) throws Exception {
        Map<String, Long> proxy = Map.of();
        String trouble = requests.equals("false") ? "nobody asked for them" : "";
        try {
            if (trouble.isEmpty()) {
                proxy = PathsReport.proxyRequests(options.proxyMetricsPort());
            }
        } catch (IOException e) {
            trouble = "its metrics on port " + options.proxyMetricsPort() + ": " + e.getMessage();
        }
        Map<String, Long> answered = proxy;
        String why = trouble;
        return loop.call(() -> new PathsReport(state).paths(answered, why));
    }

    private JsonElement explain(JsonObject params) throws Exception {
        String from = text(params, "from", "");
        String address = text(params, "address", "");
        if (Ip.parse(address).isEmpty()) {
            throw new RefusedException(Code.INVALID, "address: expected an IP address, found '" + address + "'");
        }
        String port = text(params, "port", "");
        if (!port.matches("[0-9]{1,5}") || Integer.parseInt(port) < 1 || Integer.parseInt(port) > 65535) {
            throw new RefusedException(Code.INVALID, "port: expected 1 to 65535, found '" + port + "'");
        }
        String key = from.contains("/") ? from : key(text(params, "namespace", "default"), from);
        String endpoints = text(params, "endpoints", "");
        JsonArray closed = Listening.closed(endpoints);
        JsonObject answer = loop.call(() -> {
            Optional<Lease> lease = state.lease(key);
            if (lease.isEmpty() && endpoints.isEmpty()) {
                throw new RefusedException(Code.NOT_FOUND, "workload " + key + " is not enrolled on this node");
            }
            JsonObject unknown = new JsonObject();
            unknown.addProperty("trouble", "workload " + key + " is not enrolled on this node now");
            return lease.map(caller -> new PathExplainer(options, state)
                            .explain(caller, address, Integer.parseInt(port), text(params, "route", "")))
                    .orElse(unknown);
        });
        answer.add("closed", closed);
        return answer;
    }

    private JsonElement detach() {
        Thread.ofPlatform().name("tulle-detach").start(() -> {
            try {
                // Lets the answer reach whoever asked.
                Thread.sleep(100);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
            detach.run();
        });
        JsonObject answer = new JsonObject();
        answer.addProperty("detaching", true);
        return answer;
    }

    private static String key(String namespace, String name) {
        return namespace + "/" + name.toLowerCase(Locale.ROOT);
    }

    private static String text(JsonObject params, String field, String fallback) {
        JsonElement element = params.get(field);
        return element == null || !element.isJsonPrimitive() ? fallback : element.getAsString();
    }
}
