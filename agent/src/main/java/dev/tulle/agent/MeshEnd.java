package dev.tulle.agent;

import java.util.List;

/** What has become of a mesh on this host after its end. */
public sealed interface MeshEnd {
    /** What could not be done, one sentence each; empty when all was. */
    List<String> troubles();

    /**
     * Nothing ran in it any more: every trace is removed, but for what {@link #troubles} says.
     *
     * @param troubles what could not be removed
     */
    record Removed(List<String> troubles) implements MeshEnd {
        public Removed {
            troubles = List.copyOf(troubles);
        }
    }

    /**
     * Workloads go on. What they need stays in the kernel: their addresses, their control groups, the programs that carry
     * their connections. The next agent of the mesh takes them over.
     *
     * @param survivors the workloads, by namespace and name
     * @param lent ports that lead to them at the host's addresses meanwhile
     * @param troubles what could not be done
     */
    record Suspended(List<Survivor> survivors, List<Integer> lent, List<String> troubles) implements MeshEnd {
        public Suspended {
            survivors = List.copyOf(survivors);
            lent = List.copyOf(lent);
            troubles = List.copyOf(troubles);
        }
    }

    /**
     * A workload whose processes go on although the mesh has ended.
     *
     * @param workload namespace and name
     * @param address its address in the mesh
     * @param ports the ports that it declares, as {@code http:8080}
     * @param published the ports of this host that lead to it while the mesh runs
     */
    record Survivor(String workload, String address, List<String> ports, List<Integer> published) {
        public Survivor {
            ports = List.copyOf(ports);
            published = List.copyOf(published);
        }
    }
}
