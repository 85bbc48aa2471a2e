package dev.tulle.control;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import dev.tulle.config.ConfigResource;
import dev.tulle.config.GatewayStatus;
import dev.tulle.config.Problem;
import dev.tulle.config.ResourceKey;
import dev.tulle.model.EndpointSet;
import dev.tulle.model.MeshState;
import dev.tulle.model.Route;
import dev.tulle.model.RouteConfiguration;
import dev.tulle.model.Service;
import dev.tulle.model.VirtualHost;
import dev.tulle.xds.ClientStand;
import dev.tulle.xds.XdsClientState;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Predicate;

/** What the local API and the debug pages show, as JSON. */
final class ControlViews {
    private ControlViews() {}

    static JsonArray services(MeshState state) {
        JsonArray all = new JsonArray();
        for (Service service : new TreeMap<>(state.services()).values()) {
            JsonObject shown = RecordJson.object(service);
            shown.addProperty("name", service.shortName());
            all.add(shown);
        }
        return all;
    }

    static JsonArray endpoints(MeshState state) {
        Map<String, String> namespaces = namespaces(state);
        JsonArray all = new JsonArray();
        for (EndpointSet set : new TreeMap<>(state.endpoints()).values()) {
            JsonObject shown = RecordJson.object(set);
            String hostname = set.cluster().substring(set.cluster().lastIndexOf('|') + 1);
            shown.addProperty("namespace", namespaces.getOrDefault(hostname, ""));
            all.add(shown);
        }
        return all;
    }

    static JsonArray routes(MeshState state) {
        Map<String, String> namespaces = namespaces(state);
        JsonArray all = new JsonArray();
        for (RouteConfiguration configuration : new TreeMap<>(state.routes()).values()) {
            JsonArray routes = new JsonArray();
            for (VirtualHost host : configuration.virtualHosts()) {
                for (Route route : host.routes()) {
                    JsonObject shown = new JsonObject();
                    shown.addProperty("name", route.name());
                    shown.addProperty("virtualHost", host.name());
                    shown.addProperty("match", RouteText.match(route.match()));
                    shown.addProperty("action", RouteText.action(route));
                    shown.addProperty("origin", route.origin().toString());
                    routes.add(shown);
                }
            }
            String name = configuration.name();
            JsonObject shown = new JsonObject();
            shown.addProperty("name", name);
            shown.addProperty(
                    "namespace", namespaces.getOrDefault(name.substring(0, Math.max(name.lastIndexOf(':'), 0)), ""));
            shown.add("routes", routes);
            all.add(shown);
        }
        return all;
    }

    private static Map<String, String> namespaces(MeshState state) {
        Map<String, String> byHostname = new HashMap<>();
        state.services().values().forEach(service -> byHostname.put(service.hostname(), service.namespace()));
        return byHostname;
    }

    /** One row per client and resource type. */
    static JsonArray clients(Iterable<XdsClientState> clients) {
        JsonArray all = new JsonArray();
        for (XdsClientState client : clients) {
            for (XdsClientState.TypeState type : client.types()) {
                JsonObject row = new JsonObject();
                row.addProperty("node", client.node() + "/" + client.role());
                row.addProperty("role", client.role());
                row.addProperty("software", client.software());
                row.addProperty("peer", client.peer());
                row.addProperty("since", client.since().toString());
                row.addProperty("type", type.type());
                row.addProperty("subscribed", type.wildcard() ? "all" : Integer.toString(type.names()));
                row.addProperty("sent", type.sent());
                row.addProperty("pending", type.pending());
                row.addProperty("acked", type.acked());
                row.addProperty("nacked", type.nacked());
                row.addProperty("synced", type.synced());
                row.addProperty("rejection", type.lastRejection());
                all.add(row);
            }
        }
        return all;
    }

    /** The resources in force that satisfy a condition, each with its document and its problems. */
    static JsonArray resources(MeshView view, List<ClientStand> clients, Predicate<ConfigResource> wanted) {
        JsonArray all = new JsonArray();
        boolean any = view.config().resources().stream().anyMatch(wanted.and(GatewayStatus::isOf));
        Map<ResourceKey, GatewayStatus> statuses = any ? GatewayStatus.of(view.config(), view.problems()) : Map.of();
        for (ConfigResource resource : view.config().resources()) {
            if (wanted.test(resource)) {
                JsonObject shown = RecordJson.object(resource.ref());
                Uptake.describe(resource.key(), view.state(), clients, shown);
                shown.add("content", RecordJson.of(resource.shown()));
                JsonArray problems = new JsonArray();
                for (Problem problem : view.problems()) {
                    if (problem.resource().equals(resource.key().toString())) {
                        problems.add(problem.toString());
                    }
                }
                shown.add("problems", problems);
                GatewayStatus status = statuses.get(resource.key());
                if (status != null) {
                    shown.add("status", RecordJson.of(status));
                }
                all.add(shown);
            }
        }
        return all;
    }

    /** Clients that do not enforce what is distributed, a sentence each. */
    private static JsonArray notEnforced(List<ClientStand> stands) {
        JsonArray all = new JsonArray();
        for (ClientStand client : stands) {
            if (client.stand() == ClientStand.Stand.AWAY) {
                all.add(client.client() + " enforces what it had: " + client.detail());
            }
            client.refusals()
                    .forEach(refusal -> all.add(client.client() + " refuses " + refusal.resource()
                            + ", what it had stays in force there: " + refusal.reason()));
        }
        return all;
    }

    static JsonObject status(ControlPlane plane) {
        MeshView view = plane.view();
        JsonObject status = new JsonObject();
        status.addProperty("ready", plane.isReady());
        status.addProperty("uptimeSeconds", plane.uptime().toSeconds());
        status.addProperty("snapshot", view.number());
        status.addProperty("servesEdge", plane.servesEdge());
        status.addProperty("services", view.state().services().size());
        status.addProperty("workloads", view.state().workloads().size());
        status.addProperty("resources", view.config().resources().size());
        status.add("refusals", RecordJson.of(plane.refusals().all()));
        status.addProperty("config", plane.directory().directory().toString());
        status.add("nodes", RecordJson.of(plane.nodes()));
        status.add("localities", RecordJson.of(view.state().localities()));
        status.add("clients", clients(plane.clients()));
        List<ClientStand> stands = plane.stands();
        status.add("stands", RecordJson.of(stands));
        status.add("notEnforced", notEnforced(stands));
        status.add("problems", ControlApi.problems(view.problems()));
        return status;
    }
}
