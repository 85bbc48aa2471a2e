package dev.tulle.cli.role;

import dev.tulle.agent.MeshEnd;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;

/** What a person is told about workloads that go on without their mesh. Pure. */
final class StopReport {
    /** Workloads named one by one; of more only the number is told. */
    private static final int NAMED = 20;

    private StopReport() {}

    /**
     * After a stop.
     *
     * @param options the options that name this mesh to a command, as it was started
     */
    static List<String> suspended(MeshEnd.Suspended end, String options) {
        List<String> lines = new ArrayList<>();
        int count = end.survivors().size();
        lines.add("stopped; " + (count == 1 ? "1 workload goes" : count + " workloads go")
                + " on without the mesh, which takes them over when it starts again:");
        lines.addAll(named(end.survivors()));
        lines.add("  meanwhile they keep their addresses, the connections that the kernel carries (TCP services without"
                + " HTTP rules), and whatever is outside the mesh");
        lines.add("  meanwhile they cannot look up services of the mesh or open connections that need its proxy (HTTP,"
                + " policies on requests)");
        if (!end.lent().isEmpty()) {
            lines.add("  meanwhile this host's own ports lead to them: "
                    + end.lent().stream().map(Object::toString).collect(Collectors.joining(", ")));
        }
        List<Integer> published = end.survivors().stream()
                .flatMap(survivor -> survivor.published().stream())
                .sorted()
                .toList();
        if (!published.isEmpty()) {
            lines.add("  meanwhile published ports are closed: "
                    + published.stream().map(Object::toString).collect(Collectors.joining(", ")));
        }
        lines.add("  to take the rest out of the kernel: tulle detach --all" + options);
        return lines;
    }

    /** Before everything is removed. */
    static List<String> unreachable(List<MeshEnd.Survivor> survivors) {
        List<String> lines = new ArrayList<>();
        lines.add("these workloads go on, outside the mesh; what they listen on is an address that goes away, so nobody"
                + " reaches them until they are started again:");
        lines.addAll(named(survivors));
        return lines;
    }

    private static List<String> named(List<MeshEnd.Survivor> survivors) {
        List<String> lines = new ArrayList<>();
        for (MeshEnd.Survivor one : survivors.subList(0, Math.min(NAMED, survivors.size()))) {
            String ports = one.ports().isEmpty() ? "" : ", " + String.join(", ", one.ports());
            lines.add("  " + one.workload() + " (" + one.address() + ports + ")");
        }
        if (survivors.size() > NAMED) {
            lines.add("  and " + (survivors.size() - NAMED) + " more");
        }
        return lines;
    }
}
