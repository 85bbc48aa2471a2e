package dev.tulle.agent.datapath;

import dev.tulle.agent.datapath.Structs.EndpointValue;
import dev.tulle.agent.datapath.Structs.MemberKey;
import dev.tulle.agent.datapath.Structs.ServiceKey;
import dev.tulle.agent.datapath.Structs.ServiceValue;
import dev.tulle.agent.datapath.Structs.SlotKey;
import dev.tulle.agent.datapath.Structs.SockAddr;
import dev.tulle.agent.datapath.WantedState.Serving;
import dev.tulle.common.Reason;
import dev.tulle.kernel.BpfException;
import dev.tulle.kernel.TypedMap;
import dev.tulle.model.EndpointChoice;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Keeps the service records, their slots and their members. The slots of a new generation are written before the record
 * names it, and the old ones removed afterwards, so that every connect sees one whole generation. Changes of many services
 * are written together, in batches. Owner thread only.
 */
final class ServiceMaps {
    /** About so many slots are written together, which bounds what old and new generations need at a time. */
    private static final int SLOTS_AT_A_TIME = 16_384;

    private final TypedMap<ServiceKey, ServiceValue> services;
    private final TypedMap<SlotKey, EndpointValue> slots;
    private final TypedMap<MemberKey, Integer> members;
    /** What is in the kernel, as far as this agent has written or read it. */
    private final Map<ServiceKey, Held> held = new HashMap<>();

    private final int slotsMax;
    private int lastId;
    private long changes;

    private record Held(ServiceValue value, List<EndpointValue> slots, Set<MemberKey> members) {}

    /** Changes that are written together. */
    private static final class Batch {
        final Map<SlotKey, EndpointValue> freshSlots = new LinkedHashMap<>();
        final Map<MemberKey, Integer> freshMembers = new LinkedHashMap<>();
        final Map<ServiceKey, ServiceValue> records = new LinkedHashMap<>();
        final List<ServiceKey> goneServices = new ArrayList<>();
        final List<SlotKey> goneSlots = new ArrayList<>();
        final List<MemberKey> goneMembers = new ArrayList<>();
    }

    /** Reads what is there, and removes slots and members that no record names (left by a crash between two writes). */
    ServiceMaps(
            TypedMap<ServiceKey, ServiceValue> services,
            TypedMap<SlotKey, EndpointValue> slots,
            TypedMap<MemberKey, Integer> members) {
        this.services = services;
        this.slots = slots;
        this.members = members;
        this.slotsMax = slots.map().spec().maxEntries() - 2 * SLOTS_AT_A_TIME;
        read();
    }

    private void read() {
        held.clear();
        Map<SlotKey, EndpointValue> found = slots.snapshot();
        Set<SlotKey> orphans = new HashSet<>(found.keySet());
        Map<Integer, Set<MemberKey>> membersOf = new HashMap<>();
        members.keys().forEach(key -> membersOf
                .computeIfAbsent(key.service(), _ -> new HashSet<>())
                .add(key));
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
            Set<MemberKey> ownMembers = membersOf.remove(value.id());
            held.put(key, new Held(value, own, ownMembers == null ? Set.of() : ownMembers));
        });
        slots.deleteAll(orphans);
        members.deleteAll(membersOf.values().stream().flatMap(Set::stream).toList());
    }

    /** The id of a record that is there; 0 when there is none. */
    int id(ServiceKey key) {
        Held found = held.get(key);
        return found == null ? 0 : found.value().id();
    }

    /** Brings the maps to what is wanted. */
    void reconcile(Map<ServiceKey, Serving> wanted) {
        try {
            bring(wanted);
        } catch (BpfException e) {
            // Part of it may have been written: what counts is what is there.
            read();
            throw e;
        }
    }

    private void bring(Map<ServiceKey, Serving> wanted) {
        Batch batch = new Batch();
        long slotsInUse = 0;
        for (Map.Entry<ServiceKey, Serving> entry : wanted.entrySet()) {
            Serving serving = entry.getValue();
            if (slotsInUse + serving.slots().size() > slotsMax) {
                serving = new Serving(Structs.MODE_PROXY, Reason.TOO_MANY_ENDPOINTS, List.of(), false);
            }
            slotsInUse += serving.slots().size();
            plan(entry.getKey(), serving, batch);
            if (batch.freshSlots.size() >= SLOTS_AT_A_TIME) {
                write(batch);
                batch = new Batch();
            }
        }
        for (ServiceKey key : List.copyOf(held.keySet())) {
            if (!wanted.containsKey(key)) {
                Held gone = held.remove(key);
                batch.goneServices.add(key);
                if (gone != null) {
                    batch.goneSlots.addAll(slotsOf(gone.value()));
                    batch.goneMembers.addAll(gone.members());
                }
            }
        }
        write(batch);
    }

    /**
     * The endpoints of a service.
     *
     * @return none for a number that no service has; empty when another than the kernel serves it
     */
    Optional<Set<SockAddr>> endpointsOf(int id) {
        for (Held one : held.values()) {
            if (one.value().id() == id) {
                if (one.value().mode() != Structs.MODE_KERNEL) {
                    return Optional.empty();
                }
                Set<SockAddr> endpoints = new HashSet<>();
                one.slots().forEach(slot -> endpoints.add(new SockAddr(slot.addr(), slot.port())));
                return Optional.of(endpoints);
            }
        }
        return Optional.of(Set.of());
    }

    /** Goes up with every change that was written. */
    long changes() {
        return changes;
    }

    private void plan(ServiceKey key, Serving wanted, Batch batch) {
        Held before = held.get(key);
        if (before != null && (wanted.keep() || isThere(before, wanted))) {
            return;
        }
        int id = before == null ? ++lastId : before.value().id();
        int generation = before == null ? 1 : before.value().generation() + 1;
        int count = wanted.slots().size();
        for (int i = 0; i < count; i++) {
            batch.freshSlots.put(new SlotKey(id, generation, i), wanted.slots().get(i));
        }
        Set<MemberKey> fresh = membersOf(key, id, wanted);
        Set<MemberKey> old = before == null ? Set.of() : before.members();
        fresh.stream().filter(member -> !old.contains(member)).forEach(member -> batch.freshMembers.put(member, 1));
        old.stream().filter(member -> !fresh.contains(member)).forEach(batch.goneMembers::add);
        ServiceValue value = new ServiceValue(
                id,
                generation,
                count,
                wanted.reason().number(),
                wanted.mode(),
                choice(wanted.choice()),
                0,
                wanted.choice().stickySeconds());
        batch.records.put(key, value);
        if (before != null) {
            batch.goneSlots.addAll(slotsOf(before.value()));
        }
        held.put(key, new Held(value, wanted.slots(), fresh));
    }

    private static boolean isThere(Held before, Serving wanted) {
        ServiceValue value = before.value();
        return value.mode() == wanted.mode()
                && value.reason() == wanted.reason().number()
                && value.choice() == choice(wanted.choice())
                && value.sticky() == wanted.choice().stickySeconds()
                && value.slots() == wanted.slots().size()
                && before.slots().equals(wanted.slots());
    }

    /** Only those who keep their endpoint ask whether it is still one. */
    private static Set<MemberKey> membersOf(ServiceKey key, int id, Serving wanted) {
        if (key.proto() != Structs.UDP && wanted.choice().kind() != EndpointChoice.Kind.STICKY) {
            return Set.of();
        }
        Set<MemberKey> keys = new HashSet<>();
        for (EndpointValue endpoint : wanted.slots()) {
            keys.add(new MemberKey(id, new SockAddr(endpoint.addr(), endpoint.port())));
        }
        return keys;
    }

    private static byte choice(EndpointChoice choice) {
        return switch (choice.kind()) {
            case RANDOM -> Structs.CHOICE_RANDOM;
            case ROUND_ROBIN -> Structs.CHOICE_ROUND_ROBIN;
            case SOURCE_HASH -> Structs.CHOICE_HASH;
            case STICKY -> Structs.CHOICE_STICKY;
        };
    }

    private void write(Batch batch) {
        slots.putAll(batch.freshSlots);
        members.putAll(batch.freshMembers);
        services.putAll(batch.records);
        changes += batch.records.size() + batch.goneServices.size();
        services.deleteAll(batch.goneServices);
        members.deleteAll(batch.goneMembers);
        slots.deleteAll(batch.goneSlots);
    }

    private static List<SlotKey> slotsOf(ServiceValue value) {
        List<SlotKey> keys = new ArrayList<>();
        for (int i = 0; i < value.slots(); i++) {
            keys.add(new SlotKey(value.id(), value.generation(), i));
        }
        return keys;
    }
}
