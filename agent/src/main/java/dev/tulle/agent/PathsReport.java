package dev.tulle.agent;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import dev.tulle.agent.datapath.HttpOutcome;
import dev.tulle.agent.http.HttpTable;
import dev.tulle.agent.service.PortTarget;
import dev.tulle.agent.service.ServiceView;
import dev.tulle.agent.tier.Tier;
import dev.tulle.common.Reason;
import dev.tulle.model.ServicePort;
import java.io.IOException;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * Which way each service port of this node goes, which feature keeps it off the faster one, and how many requests went
 * each way: those of the kernel as it counted them, those of the proxy as its own metrics say. What is not known is left
 * out. Owner thread only, but for {@link #proxyRequests}.
 */
final class PathsReport {
    /** From this number on reasons say why the kernel left something of kernel HTTP to the proxy. */
    private static final int FIRST_PASSED = Reason.HTTP_PIPELINED.number();

    /** Reasons told in one line. */
    private static final int REASONS_SHOWN = 3;

    private static final Pattern REQUESTS =
            Pattern.compile("istio_requests_total\\{.*destination_service=\"([^\"]*)\".*} ([0-9.eE+]+)");

    private final AgentState state;
    private final Map<HttpTable.Member, HttpOutcome> outcomes = new HashMap<>();

    PathsReport(AgentState state) {
        this.state = state;
    }

    /**
     * Requests that the proxy has answered, by the service's host name.
     *
     * @throws IOException when the proxy does not tell
     */
    static Map<String, Long> proxyRequests(int metricsPort) throws IOException {
        Map<String, Long> requests = new HashMap<>();
        ProxyMetrics.lines(metricsPort, line -> {
            Matcher matcher = REQUESTS.matcher(line);
            if (matcher.matches()) {
                requests.merge(matcher.group(1), (long) Double.parseDouble(matcher.group(2)), Long::sum);
            }
        });
        return requests;
    }

    /**
     * The report.
     *
     * @param proxy requests that the proxy has answered, by host name
     * @param trouble why they are not known; empty when they are
     */
    JsonObject paths(Map<String, Long> proxy, String trouble) {
        Map<String, Long> kernel = state.httpMetrics().byService();
        for (HttpOutcome outcome : state.datapath().httpOutcomes()) {
            outcomes.put(new HttpTable.Member(outcome.address(), outcome.port()), outcome);
        }
        JsonArray ports = new JsonArray();
        for (ServiceView view : state.services().views()) {
            for (ServicePort port : view.service().ports()) {
                PortTarget target = view.targets().get(port.number());
                if (target != null) {
                    ports.add(port(view, port, target, kernel, proxy, trouble.isEmpty()));
                }
            }
        }
        JsonObject report = new JsonObject();
        report.addProperty("tier", state.datapath().tier().word());
        report.addProperty("kernelHttp", state.datapath().http().on());
        report.addProperty("kernelHttpReason", state.datapath().http().text());
        report.addProperty("proxyTrouble", trouble);
        report.add("ports", ports);
        return report;
    }

    private JsonObject port(
            ServiceView view,
            ServicePort port,
            PortTarget target,
            Map<String, Long> kernel,
            Map<String, Long> proxy,
            boolean proxyKnown) {
        JsonObject one = new JsonObject();
        one.addProperty("namespace", view.service().namespace());
        one.addProperty("service", view.service().hostname());
        one.addProperty("port", port.number());
        one.addProperty("protocol", port.protocol().name().toLowerCase(Locale.ROOT));
        // Only what speaks HTTP for certain skips TCP on its way to the proxy and from it.
        String viaProxy = state.datapath().tier() == Tier.SPLICE ? "spliced-proxy" : "proxy";
        switch (target) {
            case PortTarget.Kernel _ -> way(one, "kernel-l4", Reason.NONE, "");
            case PortTarget.Undecided _ -> way(one, "proxy", Reason.HTTP_UNKNOWN, Reason.HTTP_UNKNOWN.text());
            case PortTarget.Proxy(Reason reason, String text) -> way(one, "proxy", reason, text);
            case PortTarget.Http(HttpTable table) -> {
                way(one, "kernel-http", Reason.NONE, "");
                one.add("routes", routes(table, viaProxy));
                one.add("endpoints", endpoints(table));
            }
        }
        if (port.protocol().isHttp() || target instanceof PortTarget.Http) {
            JsonObject requests = new JsonObject();
            requests.addProperty("kernel", kernel.getOrDefault(view.service().hostname(), 0L));
            long viaTheProxy = proxy.getOrDefault(view.service().hostname(), 0L);
            if (proxyKnown) {
                requests.addProperty("proxy", viaTheProxy);
            }
            one.add("requests", requests);
            if (target instanceof PortTarget.Http && viaTheProxy > 0) {
                String passed = passedOn(state.datapath().counters());
                one.addProperty("passedOn", passed);
                one.addProperty("reason", passed);
            }
        }
        return one;
    }

    /** Why the kernel has left requests and responses of this host to the proxy, the most frequent reasons first. */
    static String passedOn(long[] counters) {
        return Arrays.stream(Reason.values())
                .filter(reason -> reason.number() >= FIRST_PASSED
                        && reason.number() < counters.length
                        && counters[reason.number()] > 0)
                .sorted(Comparator.comparingLong((Reason reason) -> -counters[reason.number()]))
                .limit(REASONS_SHOWN)
                .map(reason -> counters[reason.number()] + " " + reason.text().replace("http: ", ""))
                .collect(Collectors.collectingAndThen(
                        Collectors.joining("; "),
                        text -> text.isEmpty()
                                ? "the proxy has the first request of each connection"
                                : "left to the proxy on this host: " + text));
    }

    private JsonArray endpoints(HttpTable table) {
        JsonArray all = new JsonArray();
        table.endpoints().stream()
                .map(outcomes::get)
                .filter(Objects::nonNull)
                .forEach(outcome -> all.add(OutcomeJson.of(outcome)));
        return all;
    }

    private static void way(JsonObject one, String path, Reason reason, String text) {
        one.addProperty("path", path);
        one.addProperty("reasonCode", reason.name());
        one.addProperty("reason", text);
    }

    private static JsonArray routes(HttpTable table, String viaProxy) {
        JsonArray routes = new JsonArray();
        for (HttpTable.Route route : table.routes()) {
            JsonObject one = new JsonObject();
            one.addProperty("name", route.name());
            one.addProperty("match", route.when().toString());
            way(one, route.forwards() ? "kernel-http" : viaProxy, route.reason(), route.text());
            routes.add(one);
        }
        return routes;
    }
}
