package dev.tulle.agent.service;

import dev.tulle.model.Service;
import java.util.Collections;
import java.util.Map;
import java.util.TreeMap;

/**
 * A service as the node sees it.
 *
 * @param service the service
 * @param targets where each of its ports leads, by port number
 */
public record ServiceView(Service service, Map<Integer, PortTarget> targets) {
    public ServiceView {
        targets = Collections.unmodifiableMap(new TreeMap<>(targets));
    }
}
