package dev.tulle.agent;

import dev.tulle.agent.datapath.Datapath;
import dev.tulle.agent.datapath.MeshNetwork;
import dev.tulle.agent.enrol.Lease;
import dev.tulle.agent.service.Guards;
import dev.tulle.agent.service.ServiceView;
import dev.tulle.agent.tier.HookStatus;
import dev.tulle.agent.tier.Tier;
import java.util.List;

/** A data path that does nothing but have counts, which tests give it. */
abstract class CountingDatapath implements Datapath {
    @Override
    public Tier tier() {
        return Tier.SPLICE;
    }

    @Override
    public void apply(MeshNetwork network, List<Lease> leases, List<ServiceView> services, Guards guards) {}

    @Override
    public List<HookStatus> hooks() {
        return List.of();
    }

    @Override
    public long[] counters() {
        return new long[0];
    }

    @Override
    public void close() {}
}
