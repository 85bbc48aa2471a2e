package dev.tulle.control;

import dev.tulle.xds.ClientStand;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;

/**
 * A node, for people.
 *
 * @param name its name
 * @param address where other nodes reach it; empty when it is reached by none
 * @param prefix its part of the workload range; empty when it has none now
 * @param workloads how many it has
 * @param state connected, or since when not
 * @param configuration current, or which of its clients lack what
 * @param joined when and from where it joined; empty for one on the control plane's own host
 */
record NodeView(
        String name, String address, String prefix, int workloads, String state, String configuration, String joined) {
    /** All nodes. On the owner thread. */
    static List<NodeView> of(WorkloadRegistry registry, Map<String, String> joined, List<ClientStand> stands) {
        Set<String> names = new TreeSet<>(registry.nodes().keySet());
        names.addAll(joined.keySet());
        List<NodeView> views = new ArrayList<>();
        for (String name : names) {
            String lag = stands.stream()
                    .filter(stand -> stand.client().startsWith(name + "/"))
                    .filter(stand -> stand.stand() != ClientStand.Stand.ANSWERED)
                    .map(stand -> stand.client().substring(name.length() + 1) + " "
                            + stand.stand().name().toLowerCase(Locale.ROOT)
                            + (stand.detail().isEmpty() ? "" : " (" + stand.detail() + ")"))
                    .collect(Collectors.joining(", "));
            views.add(new NodeView(
                    name,
                    registry.addressOf(name),
                    registry.prefixOf(name),
                    registry.workloadsOf(name),
                    registry.stateOf(name),
                    !registry.isConnected(name) ? "not known" : lag.isEmpty() ? "current" : "behind: " + lag,
                    joined.getOrDefault(name, "")));
        }
        return List.copyOf(views);
    }
}
