package dev.tulle.control;

import dev.tulle.common.Cidr;
import dev.tulle.common.Ip;
import dev.tulle.common.OwnerThread;
import dev.tulle.model.Caller;
import dev.tulle.model.Locality;
import dev.tulle.model.ResourceRef;
import dev.tulle.model.Workload;
import dev.tulle.xds.NodeHello;
import dev.tulle.xds.NodeLease;
import dev.tulle.xds.NodeRegistry;
import dev.tulle.xds.RegistrationAnswer;
import dev.tulle.xds.WorkloadRegistration;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * The nodes and their workloads. A workload stays while its node's stream is gone, until the lease times out; announcing
 * the same again changes nothing. Runs on the control plane's owner thread.
 */
final class WorkloadRegistry implements NodeRegistry {
    private static final System.Logger LOG = System.getLogger(WorkloadRegistry.class.getName());
    private static final Pattern NAME = Pattern.compile("[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?");
    private static final int MAX_PER_NODE = 4096;

    /** How long a service keeps its name and address after its last workload has left. */
    static final Duration NAME_KEPT = Duration.ofMinutes(5);

    private static final Cidr LOOPBACK = Cidr.of("loopback", "127.0.0.0/8");

    private final OwnerThread owner;
    private final NodeLeases leases;
    private final ControlOptions options;
    private final Listener listener;
    private final Map<String, Node> nodes = new TreeMap<>();
    private final Map<String, Workload> workloads = new TreeMap<>();
    private final Map<String, String> uidByAddress = new HashMap<>();

    /** The uids of each node's workloads. */
    private final Map<String, Set<String>> byNode = new HashMap<>();

    private final Set<String> awaited;
    private final RememberedServices remembered;

    /** A node that has said hello since the start. */
    private static final class Node {
        final Cidr prefix;
        Locality locality = Locality.NONE;
        String address = "";
        Instant lastSeen = Instant.EPOCH;
        boolean connected;
        OwnerThread.@Nullable Delayed expiry;

        Node(Cidr prefix) {
            this.prefix = prefix;
        }
    }

    /** Whoever distributes what is registered. */
    interface Listener {
        /** The workloads have changed, or a node's locality, or a node that was waited for is back. */
        void onChange();

        /** As {@link NodeRegistry#trusts}. */
        default void trusts(String node, Set<String> roots) {}

        /** As {@link NodeRegistry#whenInForce}. */
        void whenInForce(Runnable callback);

        /** As {@link NodeRegistry#admits}. */
        boolean admits(String node);

        /** Whether there are or may be nodes on other hosts. */
        boolean expectsNodes();
    }

    /** A registry without nodes. */
    WorkloadRegistry(OwnerThread owner, NodeLeases leases, ControlOptions options, Listener listener) {
        this.owner = owner;
        this.leases = leases;
        this.options = options;
        this.listener = listener;
        this.awaited = new HashSet<>(leases.active());
        this.remembered = new RememberedServices(owner, NAME_KEPT, listener::onChange);
    }

    Collection<Workload> workloads() {
        return List.copyOf(workloads.values());
    }

    /** Workloads that have left a while ago, one for each service that only they named. */
    Collection<Workload> remembered() {
        return remembered.workloads();
    }

    /** The nodes that had workloads before this process and have not announced theirs yet. */
    Set<String> awaited() {
        return Set.copyOf(awaited);
    }

    /** What to show of the nodes: name to prefix and state. */
    Map<String, String> nodes() {
        Map<String, String> out = new TreeMap<>();
        nodes.forEach((name, node) -> out.put(name, node.prefix + (node.connected ? "" : " (disconnected)")));
        return out;
    }

    /**
     * A node with a workload of an identity.
     *
     * @param principal as {@link Caller#principal}
     * @param only the only node that counts; empty: any
     */
    Optional<String> holder(String principal, String only) {
        return (only.isEmpty() ? workloads.values() : workloadsAt(only))
                .stream()
                        .filter(workload -> Caller.of(workload).principal().equals(principal))
                        .map(Workload::node)
                        .findFirst();
    }

    private List<Workload> workloadsAt(String node) {
        return byNode.getOrDefault(node, Set.of()).stream()
                .flatMap(uid -> Optional.ofNullable(workloads.get(uid)).stream())
                .toList();
    }

    /** The nodes that are connected. */
    Set<String> connected() {
        Set<String> names = new TreeSet<>();
        nodes.forEach((name, node) -> {
            if (node.connected) {
                names.add(name);
            }
        });
        return names;
    }

    @Override
    public void trusts(String nodeId, Set<String> roots) {
        listener.trusts(nodeId, roots);
    }

    /** Where other nodes reach a node; empty when they do not. */
    String addressOf(String name) {
        Node node = nodes.get(name);
        return node == null ? "" : node.address;
    }

    /** The prefix of a node; empty when it has none. */
    String prefixOf(String name) {
        return leases.of(name).map(Cidr::toString).orElse("");
    }

    /** How many workloads a node has. */
    int workloadsOf(String name) {
        return byNode.getOrDefault(name, Set.of()).size();
    }

    /** Connected, or since when not, for people. */
    String stateOf(String name) {
        Node node = nodes.get(name);
        if (node == null) {
            return "not seen since the control plane started";
        }
        return node.connected ? "connected" : "last seen " + node.lastSeen;
    }

    /** Where the nodes are that said so, by name. */
    Map<String, Locality> localities() {
        Map<String, Locality> out = new TreeMap<>();
        nodes.forEach((name, node) -> {
            if (node.locality.isKnown()) {
                out.put(name, node.locality);
            }
        });
        return out;
    }

    @Override
    public HelloAnswer hello(NodeHello hello) {
        String nodeId = hello.node();
        if (!NAME.matcher(nodeId).matches()) {
            return new HelloAnswer.Refused(
                    "node id '" + nodeId + "': expected lower-case letters, digits, '-' and '.', at most 253");
        }
        if (!hello.address().isEmpty() && Ip.parse(hello.address()).isEmpty()) {
            return new HelloAnswer.Refused("the address of node " + nodeId + ", '" + hello.address()
                    + "': expected an IP address, where other nodes reach it");
        }
        Optional<Cidr> prefix;
        try {
            prefix = leases.grant(nodeId, hello.wantedPrefix());
        } catch (UncheckedIOException e) {
            LOG.log(System.Logger.Level.ERROR, "the leases cannot be written", e);
            return new HelloAnswer.Refused("the control plane cannot write down the lease: " + e.getMessage());
        }
        if (prefix.isEmpty()) {
            return new HelloAnswer.Refused(
                    "the workload range " + options.ranges().workloads() + " is used up");
        }
        Node node = nodes.computeIfAbsent(nodeId, _ -> new Node(prefix.get()));
        node.connected = true;
        if (node.expiry != null) {
            node.expiry.cancel();
            node.expiry = null;
        }
        node.address = hello.address();
        if (!node.locality.equals(hello.locality())) {
            // What callers on this node prefer; its workloads follow when it announces them.
            node.locality = hello.locality();
            listener.onChange();
        }
        return new HelloAnswer.Granted(lease(node));
    }

    private NodeLease lease(Node node) {
        return new NodeLease(
                node.prefix.toString(),
                options.ranges().workloads(),
                options.ranges().services(),
                listener.expectsNodes(),
                options.times().lease());
    }

    /** The leases of the nodes that are connected, by name. */
    Map<String, NodeLease> leases() {
        Map<String, NodeLease> out = new TreeMap<>();
        nodes.forEach((name, node) -> {
            if (node.connected) {
                out.put(name, lease(node));
            }
        });
        return out;
    }

    @Override
    public boolean admits(String node) {
        return listener.admits(node);
    }

    /** True when a node of this name has ever been in the mesh. */
    boolean isKnown(String node) {
        return leases.has(node);
    }

    /** True when the stream of a node of this name is open. */
    boolean isConnected(String name) {
        Node node = nodes.get(name);
        return node != null && node.connected;
    }

    /** A node was removed: its workloads leave and its prefix is free. Its stream must have ended. */
    void forget(String name) {
        Node node = nodes.remove(name);
        if (node != null && node.expiry != null) {
            node.expiry.cancel();
        }
        remove(List.copyOf(byNode.getOrDefault(name, Set.of())));
        byNode.remove(name);
        awaited.remove(name);
        leases.free(name);
        listener.onChange();
    }

    @Override
    public RegistrationAnswer register(String nodeId, WorkloadRegistration workload) {
        String uid = workload.uid(nodeId);
        Optional<String> refusal = check(nodeId, uid, workload);
        if (refusal.isPresent()) {
            return new RegistrationAnswer.Refused(uid, refusal.get());
        }
        Node node = nodes.get(nodeId);
        put(new Workload(
                        uid,
                        workload.name(),
                        workload.namespace(),
                        workload.serviceAccount(),
                        nodeId,
                        workload.addresses(),
                        workload.labels(),
                        workload.services(),
                        workload.ports(),
                        workload.healthy(),
                        new ResourceRef("Registration", workload.namespace(), workload.name(), "", 0))
                .in(Locality.of(workload.labels(), node == null ? Locality.NONE : node.locality))
                .reachedAt(node == null ? "" : node.address));
        return new RegistrationAnswer.Accepted(uid);
    }

    private Optional<String> check(String nodeId, String uid, WorkloadRegistration workload) {
        Node node = nodes.get(nodeId);
        if (node == null) {
            return Optional.of("node " + nodeId + " has no lease");
        }
        if (!NAME.matcher(workload.name()).matches()
                || !NAME.matcher(workload.namespace()).matches()) {
            return Optional.of("name " + workload.namespace() + "/" + workload.name()
                    + ": expected lower-case letters, digits, '-' and '.', at most 253");
        }
        try {
            Locality.of(workload.labels(), Locality.NONE);
        } catch (IllegalArgumentException e) {
            return Optional.of("label " + Locality.LABEL + ": " + e.getMessage());
        }
        if (!workloads.containsKey(uid) && byNode.getOrDefault(nodeId, Set.of()).size() >= MAX_PER_NODE) {
            return Optional.of("node " + nodeId + " has " + MAX_PER_NODE + " workloads already");
        }
        for (String address : workload.addresses()) {
            if (Ip.parse4(address).isEmpty()) {
                return Optional.of("address '" + address + "': expected an IPv4 address");
            }
            if (LOOPBACK.contains(address)) {
                continue;
            }
            if (!node.prefix.contains(address)) {
                return Optional.of("address " + address + ": expected one of the node's prefix " + node.prefix);
            }
            String holder = uidByAddress.get(address);
            if (holder != null && !holder.equals(uid)) {
                return Optional.of("address " + address + " is that of workload " + holder);
            }
        }
        return Optional.empty();
    }

    private void put(Workload workload) {
        Workload earlier = workloads.put(workload.uid(), workload);
        if (workload.equals(earlier)) {
            return;
        }
        if (earlier != null) {
            earlier.addresses().forEach(uidByAddress::remove);
        }
        workload.addresses().forEach(address -> uidByAddress.put(address, workload.uid()));
        byNode.computeIfAbsent(workload.node(), _ -> new TreeSet<>()).add(workload.uid());
        remembered.joined(workload);
        noteActive(workload.node());
        listener.onChange();
    }

    private void remove(Collection<String> uids) {
        Set<String> touched = new HashSet<>();
        for (String uid : uids) {
            Workload workload = workloads.remove(uid);
            if (workload != null) {
                workload.addresses().forEach(address -> uidByAddress.remove(address, uid));
                touched.add(workload.node());
                byNode.getOrDefault(workload.node(), new TreeSet<>()).remove(uid);
                remembered.left(workload);
            }
        }
        if (!touched.isEmpty()) {
            touched.forEach(this::noteActive);
            listener.onChange();
        }
    }

    private void noteActive(String nodeId) {
        boolean has = !byNode.getOrDefault(nodeId, Set.of()).isEmpty();
        try {
            leases.setActive(nodeId, has);
        } catch (UncheckedIOException e) {
            // Only a wait after the next start depends on it.
            LOG.log(System.Logger.Level.WARNING, "the leases cannot be written", e);
        }
    }

    @Override
    public void whenInForce(Runnable callback) {
        listener.whenInForce(callback);
    }

    @Override
    public void health(String nodeId, String uid, boolean healthy) {
        Workload old = workloads.get(uid);
        if (old == null || !old.node().equals(nodeId)) {
            return;
        }
        put(old.withHealth(healthy));
    }

    @Override
    public void deregister(String nodeId, String uid) {
        Workload workload = workloads.get(uid);
        if (workload != null && workload.node().equals(nodeId)) {
            remove(List.of(uid));
        }
    }

    @Override
    public void announced(String nodeId, Set<String> uids) {
        List<String> gone = new ArrayList<>(byNode.getOrDefault(nodeId, Set.of()));
        gone.removeAll(uids);
        remove(gone);
        noteActive(nodeId);
        if (awaited.remove(nodeId)) {
            listener.onChange();
        }
    }

    @Override
    public void disconnected(String nodeId, String reason) {
        Node node = nodes.get(nodeId);
        if (node == null) {
            return;
        }
        LOG.log(
                System.Logger.Level.INFO,
                "node {0} is gone ({1}); its workloads stay for {2} s",
                nodeId,
                reason,
                options.times().lease().toSeconds());
        node.connected = false;
        node.lastSeen = Instant.now();
        node.expiry = owner.schedule(options.times().lease(), () -> {
            List<String> uids = List.copyOf(byNode.getOrDefault(nodeId, Set.of()));
            LOG.log(System.Logger.Level.WARNING, "node {0} did not come back: {1} workloads go", nodeId, uids.size());
            nodes.remove(nodeId);
            remove(uids);
            byNode.remove(nodeId);
        });
    }
}
