package dev.tulle.agent.enrol;

import dev.tulle.model.Workload.WorkloadPort;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * What a workload asks for, checked.
 *
 * @param name the workload's name, a DNS label
 * @param namespace the namespace, a DNS label
 * @param service the service it belongs to, empty when it is only a client
 * @param serviceAccount the service account of its identity
 * @param labels its labels
 * @param ports the ports it listens on; the first one is its main port
 * @param publications ports opened to the outside
 * @param permits callers outside the mesh that may reach it directly
 * @param probes readiness probes; it is ready when all pass
 * @param splicing which of its connections may skip TCP
 * @param source where its processes are
 */
public record EnrolSpec(
        String name,
        String namespace,
        String service,
        String serviceAccount,
        Map<String, String> labels,
        List<WorkloadPort> ports,
        List<Publication> publications,
        List<Permit> permits,
        List<Probe> probes,
        Splicing splicing,
        Source source) {
    public EnrolSpec {
        labels = java.util.Collections.unmodifiableMap(new TreeMap<>(labels));
        ports = List.copyOf(ports);
        publications = List.copyOf(publications);
        permits = List.copyOf(permits);
        probes = List.copyOf(probes);
    }

    /** The label that says of which workload a replica is one, where several run under one name; Istio's. */
    public static final String WORKLOAD_LABEL = "service.istio.io/workload-name";

    /** The same as one more replica of the workload, with a name of its own. */
    EnrolSpec replica(String itsName) {
        Map<String, String> its = new TreeMap<>(labels);
        its.putIfAbsent(WORKLOAD_LABEL, name);
        return new EnrolSpec(
                itsName,
                namespace,
                service,
                serviceAccount,
                its,
                ports,
                publications,
                permits,
                probes,
                splicing,
                source);
    }

    /** Namespace and name: unique on a node. */
    public String key() {
        return namespace + "/" + name;
    }

    /** The directory name of its own control group; a dot cannot occur in a name, so this cannot collide. */
    public String directoryName() {
        return namespace.equals("default") ? name : name + "." + namespace;
    }

    /** Which connections of a workload may skip TCP; the numbers are the kernel programs'. */
    public enum Splicing {
        /** Those that speak HTTP, where its programs cannot notice. */
        HTTP(0, "http"),
        /** All, with other workloads of this kind; what programs notice is in docs/splicing.md. */
        ALL(1, "on"),
        /** None. */
        NONE(2, "off");

        private final int number;
        private final String word;

        Splicing(int number, String word) {
            this.number = number;
            this.word = word;
        }

        /** {@code enum tulle_splicing}. */
        public int number() {
            return number;
        }

        /** As the user writes it. */
        public String word() {
            return word;
        }
    }

    /**
     * A port opened to the outside through the node proxy.
     *
     * @param address the host's address; {@code 0.0.0.0} for all of IPv4, {@code ::} for all of IPv6, {@link #ALL} for all
     * @param port the host's port
     * @param targetPort the workload's port
     */
    public record Publication(String address, int port, int targetPort) {
        /** Every address of the host, of both families. */
        public static final String ALL = "*";

        /** Where to listen: two wildcards for {@link #ALL} on a host with IPv6. */
        public List<String> addresses(boolean ipv6) {
            if (!address.equals(ALL)) {
                return List.of(address);
            }
            return ipv6 ? List.of("0.0.0.0", "::") : List.of("0.0.0.0");
        }
    }

    /**
     * Callers outside the mesh that may reach a port of the workload without the proxy.
     *
     * @param host true for processes of this host, false for other hosts
     * @param port the workload's port, 0 for all
     */
    public record Permit(boolean host, int port) {}

    /** Where the processes are. */
    public sealed interface Source {
        /**
         * A command about to be started in a new control group of the mesh.
         *
         * @param pid the process that becomes the command and is put there, alone; 0: it enters by itself
         */
        record NewGroup(long pid) implements Source {}

        /** A systemd unit that runs. */
        record Unit(String unit) implements Source {}

        /** An existing control group, by path. */
        record Group(String path) implements Source {}

        /** A running process and its descendants. */
        record Pid(long pid) implements Source {}
    }
}
