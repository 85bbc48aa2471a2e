package dev.tulle.agent.datapath;

import dev.tulle.agent.datapath.Structs.EndpointValue;
import dev.tulle.agent.datapath.Structs.ServiceKey;
import dev.tulle.agent.datapath.Structs.ServiceValue;
import dev.tulle.agent.datapath.Structs.SlotKey;
import dev.tulle.agent.datapath.WantedState.Serving;
import dev.tulle.kernel.TypedMap;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Keeps the service records and their slots. The slots of a new generation are written before the record names it, and
 * the old ones removed afterwards, so that every connect sees one whole generation. Owner thread only.
 */
final class ServiceMaps {
    private final TypedMap<ServiceKey, ServiceValue> services;
    private final TypedMap<SlotKey, EndpointValue> slots;
    /** What is in the kernel, as far as this agent has written or read it. */
    private final Map<ServiceKey, Held> held = new HashMap<>();

    private int lastId;

    private record Held(ServiceValue value, List<EndpointValue> slots) {}

    /** Reads what is there, and removes slots that no record names (left by a crash between two writes). */
    ServiceMaps(TypedMap<ServiceKey, ServiceValue> services, TypedMap<SlotKey, EndpointValue> slots) {
        this.services = services;
        this.slots = slots;
        Map<SlotKey, EndpointValue> found = slots.snapshot();
        Set<SlotKey> orphans = new java.util.HashSet<>(found.keySet());
        services.forEach((key, value) -> {
            lastId = Math.max(lastId, value.id());
            List<EndpointValue> own = new ArrayList<>();
            for (int i = 0; i < value.slots(); i++) {
                SlotKey slot = new SlotKey(value.id(), value.generation(), i);
                EndpointValue endpoint = found.get(slot);
                if (endpoint != null) {
                    own.add(endpoint);
                }
                orphans.remove(slot);
            }
            held.put(key, new Held(value, own));
        });
        slots.deleteAll(orphans);
    }

    /** The id of a record that is there; 0 when there is none. */
    int id(ServiceKey key) {
        Held found = held.get(key);
        return found == null ? 0 : found.value().id();
    }

    /** Brings the maps to what is wanted. */
    void reconcile(Map<ServiceKey, Serving> wanted) {
        for (Map.Entry<ServiceKey, Serving> entry : wanted.entrySet()) {
            write(entry.getKey(), entry.getValue());
        }
        for (ServiceKey key : List.copyOf(held.keySet())) {
            if (!wanted.containsKey(key)) {
                Held gone = held.remove(key);
                services.delete(key);
                if (gone != null) {
                    removeSlots(gone.value());
                }
            }
        }
    }

    private void write(ServiceKey key, Serving wanted) {
        Held before = held.get(key);
        if (before != null) {
            boolean same = before.value().mode() == wanted.mode()
                    && before.value().reason() == wanted.reason().number()
                    && before.slots().equals(wanted.slots())
                    && before.value().slots() == wanted.slots().size();
            if (same || wanted.keep()) {
                return;
            }
        }
        int id = before == null ? ++lastId : before.value().id();
        int generation = before == null ? 1 : before.value().generation() + 1;
        Map<SlotKey, EndpointValue> fresh = new HashMap<>();
        for (int i = 0; i < wanted.slots().size(); i++) {
            fresh.put(new SlotKey(id, generation, i), wanted.slots().get(i));
        }
        slots.putAll(fresh);
        ServiceValue value = new ServiceValue(
                id, generation, wanted.slots().size(), wanted.reason().number(), wanted.mode(), (byte) 0);
        services.put(key, value);
        held.put(key, new Held(value, wanted.slots()));
        if (before != null) {
            removeSlots(before.value());
        }
    }

    private void removeSlots(ServiceValue value) {
        List<SlotKey> keys = new ArrayList<>();
        for (int i = 0; i < value.slots(); i++) {
            keys.add(new SlotKey(value.id(), value.generation(), i));
        }
        slots.deleteAll(keys);
    }
}
