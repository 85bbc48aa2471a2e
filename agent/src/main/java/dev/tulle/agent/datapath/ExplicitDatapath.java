package dev.tulle.agent.datapath;

import dev.tulle.agent.enrol.Lease;
import dev.tulle.agent.host.HostNetwork;
import dev.tulle.agent.host.NetPlan;
import dev.tulle.agent.service.Guards;
import dev.tulle.agent.service.ServiceView;
import dev.tulle.agent.tier.HookStatus;
import dev.tulle.agent.tier.Tier;
import java.io.IOException;
import java.util.List;

/** The tier {@link Tier#EXPLICIT}: programs are told the node proxy's address in their environment; the host is left alone. */
public final class ExplicitDatapath implements Datapath {
    @Override
    public Tier tier() {
        return Tier.EXPLICIT;
    }

    @Override
    public void apply(MeshNetwork network, List<Lease> leases, List<ServiceView> services, Guards guards)
            throws IOException {
        // Nothing is wanted of the host; what another tier has left goes.
        new HostNetwork(network.prefix(), network.services(), network.range6()).reconcile(NetPlan.EMPTY);
    }

    @Override
    public List<HookStatus> hooks() {
        return List.of(new HookStatus("environment", true, "HTTP_PROXY and PORT of each workload"));
    }

    @Override
    public long[] counters() {
        return new long[0];
    }

    @Override
    public void close() {
        // Nothing is held.
    }
}
