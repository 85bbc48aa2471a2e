package dev.tulle.control;

import dev.tulle.common.OwnerThread;
import dev.tulle.common.pki.SpiffeId;
import dev.tulle.control.authority.Holders;
import java.util.Optional;
import java.util.Set;

/** What has been registered, for the authority; asks on the control plane's owner thread. */
final class RegisteredHolders implements Holders {
    private final OwnerThread owner;
    private final WorkloadRegistry registry;

    RegisteredHolders(OwnerThread owner, WorkloadRegistry registry) {
        this.owner = owner;
        this.registry = registry;
    }

    @Override
    public Optional<String> holder(SpiffeId workload, String node) {
        return owner.call(() -> registry.holder(workload.principal(), node));
    }

    @Override
    public boolean admits(String node) {
        return owner.call(() -> registry.admits(node));
    }

    @Override
    public boolean isNode(String name) {
        return owner.call(() -> registry.isKnown(name));
    }

    @Override
    public Set<String> connected() {
        return owner.call(registry::connected);
    }
}
