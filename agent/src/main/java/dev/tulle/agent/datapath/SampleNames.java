package dev.tulle.agent.datapath;

import dev.tulle.agent.datapath.HttpStructs.SampleValue;
import dev.tulle.agent.http.HttpTable;
import dev.tulle.common.Ip;
import java.util.List;
import java.util.Map;

/**
 * What the numbers in a sample stand for. Immutable: whoever reads samples has the latest, and asks nobody.
 *
 * @param services by number
 * @param tables of routes and clusters, by number
 * @param workloads {@code namespace/name}, by number
 */
record SampleNames(Map<Integer, Service> services, Map<Integer, Table> tables, Map<Integer, String> workloads) {
    static final SampleNames NONE = new SampleNames(Map.of(), Map.of(), Map.of());

    SampleNames {
        services = Map.copyOf(services);
        tables = Map.copyOf(tables);
        workloads = Map.copyOf(workloads);
    }

    /** A service's host name, and the address and port that its clients dial. */
    record Service(String host, String dialled) {
        static final Service UNKNOWN = new Service("", "");
    }

    /** The names in a route table, in its order. */
    record Table(List<String> routes, List<String> clusters) {
        private static final Table UNKNOWN = new Table(List.of(), List.of());

        Table {
            routes = List.copyOf(routes);
            clusters = List.copyOf(clusters);
        }

        static Table of(HttpTable table) {
            return new Table(
                    table.routes().stream().map(HttpTable.Route::name).toList(),
                    table.clusters().stream().map(HttpTable.ClusterPart::name).toList());
        }
    }

    /** A sample in words. */
    HttpSample read(SampleValue value) {
        Service service = services.getOrDefault(value.service(), Service.UNKNOWN);
        Table table = tables.getOrDefault(value.table(), Table.UNKNOWN);
        return new HttpSample(
                value.ts(),
                value.nanos(),
                value.headNanos(),
                value.requestBytes(),
                value.responseBytes(),
                value.code(),
                value.head()
                        .text()
                        .substring(
                                0,
                                Math.clamp(
                                        value.length(), 0, value.head().text().length())),
                Ip.text(value.clientAddr(), value.clientPort()),
                service.dialled(),
                Ip.text(value.serverAddr(), value.serverPort()),
                workloads.getOrDefault(value.source(), ""),
                service.host(),
                name(table.routes(), value.route()),
                name(table.clusters(), value.cluster()));
    }

    private static String name(List<String> names, int index) {
        return index < names.size() ? names.get(index) : "";
    }
}
