package dev.tulle.config;

import dev.tulle.common.Ip;
import dev.tulle.config.ServiceCatalog.Draft;
import dev.tulle.model.Route;
import dev.tulle.model.ServicePort;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** What virtual hosts have whosever routes they hold: the names of a service, and names of routes that tell them apart. Pure. */
final class VirtualHosts {
    private VirtualHosts() {}

    /** Every way in which a client may name the service, then everything else that dials its address. */
    static List<String> domains(Draft draft, ServicePort port, List<String> addresses) {
        List<String> names = new ArrayList<>();
        names.add(draft.hostname());
        if (draft.hostname().endsWith("." + Hosts.SERVICE_DOMAIN)) {
            String service = draft.hostname().substring(0, draft.hostname().indexOf('.'));
            names.add(service);
            names.add(service + "." + draft.namespace());
            names.add(service + "." + draft.namespace() + ".svc");
        }
        for (String address : addresses) {
            names.add(Ip.inBrackets(address));
        }
        List<String> domains = new ArrayList<>(names.size() * 2 + 1);
        for (String name : names) {
            domains.add(name);
            domains.add(name + ":" + port.number());
        }
        domains.add("*");
        return domains;
    }

    /** The same routes, each with a name of its own. */
    static List<Route> uniquelyNamed(List<Route> routes) {
        Map<String, Integer> seen = new HashMap<>();
        List<Route> out = new ArrayList<>(routes.size());
        for (Route route : routes) {
            int count = seen.merge(route.name(), 1, Integer::sum);
            out.add(
                    count == 1
                            ? route
                            : new Route(
                                    route.name() + "#" + count,
                                    route.match(),
                                    route.action(),
                                    route.filters(),
                                    route.headers(),
                                    route.origin()));
        }
        return out;
    }
}
