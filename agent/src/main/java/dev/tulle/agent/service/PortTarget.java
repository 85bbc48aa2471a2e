package dev.tulle.agent.service;

import dev.tulle.agent.http.HttpTable;
import dev.tulle.common.Reason;
import dev.tulle.model.Endpoint;
import dev.tulle.model.EndpointChoice;
import java.util.List;

/** Where connections to one port of a service go, as far as is known now. */
public sealed interface PortTarget {
    /** The kernel chooses one of these at connect; none: refused. Weights are in the number of slots. */
    record Kernel(List<Endpoint> slots, EndpointChoice choice) implements PortTarget {
        public Kernel {
            slots = List.copyOf(slots);
        }

        /** Each slot with the same chance. */
        public Kernel(List<Endpoint> slots) {
            this(slots, EndpointChoice.RANDOM);
        }
    }

    /** The node proxy takes them, and the kernel forwards what it can prove of their requests. */
    record Http(HttpTable table) implements PortTarget {}

    /** The node proxy takes them. */
    record Proxy(Reason reason, String text) implements PortTarget {}

    /** The kernel may choose, but the endpoints are not known yet: what is in force stays, else the proxy takes them. */
    record Undecided() implements PortTarget {}
}
