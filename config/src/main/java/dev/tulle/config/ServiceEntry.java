package dev.tulle.config;

import dev.tulle.model.Locality;
import dev.tulle.model.ServicePort;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * Istio's ServiceEntry: services that no Kubernetes Service declares, inside or outside the mesh.
 *
 * @param hosts full host names, lower case
 * @param addresses virtual addresses; empty means that the mesh allocates one for each host
 * @param selector labels of the workloads that are its endpoints; used when {@code endpoints} is empty
 */
public record ServiceEntry(
        Manifest manifest,
        List<String> hosts,
        List<String> addresses,
        List<ServicePort> ports,
        boolean external,
        Resolution resolution,
        List<Peer> endpoints,
        Map<String, String> selector)
        implements ConfigResource {
    public ServiceEntry {
        hosts = List.copyOf(hosts);
        addresses = List.copyOf(addresses);
        ports = List.copyOf(ports);
        endpoints = List.copyOf(endpoints);
        selector = Collections.unmodifiableMap(new TreeMap<>(selector));
    }

    /** How endpoints are found. */
    public enum Resolution {
        /** Connections go to the address that the application dialled. */
        NONE,
        /** The endpoints' addresses are written in the entry or selected by labels. */
        STATIC,
        /** The endpoints (or the host itself) are host names, looked up by the proxy. */
        DNS
    }

    /**
     * An endpoint.
     *
     * @param address an IP address, or a host name with resolution DNS
     * @param ports by the name of the service port; a port not in it uses the service's target port
     * @param weight 1 or more
     * @param locality where it is
     */
    public record Peer(
            String address, Map<String, Integer> ports, Map<String, String> labels, int weight, Locality locality) {
        public Peer {
            ports = Collections.unmodifiableMap(new TreeMap<>(ports));
            labels = Collections.unmodifiableMap(new TreeMap<>(labels));
        }
    }
}
