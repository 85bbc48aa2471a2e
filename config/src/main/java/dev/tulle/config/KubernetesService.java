package dev.tulle.config;

import dev.tulle.model.LocalityPreference;
import dev.tulle.model.ServicePort;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * Kubernetes' Service.
 *
 * @param addresses cluster addresses given in the manifest; empty means that the mesh allocates one
 * @param headless true for {@code clusterIP: None}
 * @param selector labels of its workloads; empty selects none by label
 * @param stickySeconds session affinity: how long after its last connection a caller is remembered; 0: none
 * @param preference what {@code trafficDistribution} says of localities
 */
public record KubernetesService(
        Manifest manifest,
        List<String> addresses,
        boolean headless,
        Map<String, String> selector,
        List<ServicePort> ports,
        int stickySeconds,
        LocalityPreference preference)
        implements ConfigResource {
    public KubernetesService {
        addresses = List.copyOf(addresses);
        selector = Collections.unmodifiableMap(new TreeMap<>(selector));
        ports = List.copyOf(ports);
    }

    /** The full host name. */
    public String hostname() {
        return Hosts.serviceHostname(name(), namespace());
    }
}
