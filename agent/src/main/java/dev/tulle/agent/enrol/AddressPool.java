package dev.tulle.agent.enrol;

import dev.tulle.common.Cidr;
import java.util.Collection;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Chooses addresses out of a node's prefix: a name that had one before gets it back when it is free; otherwise one that
 * nobody had, and when there is none left, the one that was given back longest ago. Pure but for its memory; owner
 * thread only.
 */
public final class AddressPool {
    /** The first host part for workloads: below are the host (.1), the proxy (.2), the agent (.3) and a reserve. */
    public static final int FIRST = 10;

    private final Map<String, Integer> memory = new LinkedHashMap<>();

    /** For a memory of names and addresses, those given back longest ago first. */
    public AddressPool(Map<String, Integer> memory) {
        this.memory.putAll(memory);
    }

    /**
     * Chooses an address; the caller holds it from now on.
     *
     * @param held addresses in use
     * @return empty when every address is in use
     */
    public Optional<Integer> take(Cidr prefix, String key, Collection<Integer> held) {
        Set<Integer> used = new HashSet<>(held);
        Integer before = memory.get(key);
        if (before != null && usable(prefix, before) && !used.contains(before)) {
            return Optional.of(before);
        }
        Set<Integer> remembered = new HashSet<>(memory.values());
        for (int part = FIRST; part < prefix.size() - 1; part++) {
            int address = prefix.host(part);
            if (!used.contains(address) && !remembered.contains(address)) {
                return Optional.of(address);
            }
        }
        return memory.values().stream()
                .filter(address -> usable(prefix, address) && !used.contains(address))
                .findFirst();
    }

    /** Remembers who had an address that is free again. */
    public void giveBack(String key, int address) {
        memory.remove(key);
        memory.values().removeIf(other -> other == address);
        memory.put(key, address);
    }

    /** Names and the addresses they had, those given back longest ago first. */
    public Map<String, Integer> memory() {
        return new LinkedHashMap<>(memory);
    }

    private static boolean usable(Cidr prefix, int address) {
        return prefix.contains(address)
                && address - prefix.network() >= FIRST
                && address - prefix.network() < prefix.size() - 1;
    }
}
