package dev.tulle.identity.rotation;

import dev.tulle.identity.rotation.RotationState.Phase;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.UnaryOperator;

/**
 * A small world around {@link Rotation}: an authority that may crash, two nodes of which the second joins at any time, who
 * may be away, whose messages may be late, and time that passes in ticks. Searched breadth first, whole. Sets of roots are
 * bits; leaves are counted by kind, the tick in which the last of a kind ends.
 */
final class RotationModel {
    private static final int NODES = 2;

    /** The last root: two rotations. */
    private static final int LAST_ROOT = 3;

    /** Ticks that a leaf holds, after that in which it is signed, and for which nodes that are away are waited for. */
    private static final int LIFE = 1;

    /** What a leaf is: below a root, sent with the certificate that the root before it signed, or not. */
    private static final int KINDS = 2 * (LAST_ROOT + 1);

    private static final Instant NOW = Instant.ofEpochSecond(1_000_000);
    private static final Instant PAST = Instant.EPOCH;

    private RotationModel() {}

    /** Rules that may be left out, to see that each is needed. */
    enum Guards {
        AS_THEY_ARE,
        /** A new root signs without waiting for anybody. */
        SIGNS_AT_ONCE,
        /** An old root goes without waiting for anything. */
        WITHDRAWS_AT_ONCE,
        /** An old root goes while its leaves live. */
        FORGETS_LEAVES,
        /** Who has not said anything is taken to trust everything. */
        SILENCE_IS_CONSENT
    }

    /**
     * What a search found.
     *
     * @param violation the way to a state in which somebody is not believed; empty when there is none
     * @param stuck states from which the rotation does not end although everybody is there and hears everything
     */
    record Outcome(int states, int rotations, String violation, List<String> stuck) {}

    /**
     * A node.
     *
     * @param trusts the roots that it has in force and has kept
     * @param said what the authority has heard of that since it started; -1 for nothing
     * @param coming what it is being told, oldest first
     * @param saying what it is saying; -1 for nothing
     * @param leaves ticks that its leaves of each kind still hold
     */
    record Node(
            boolean joined,
            boolean online,
            int trusts,
            int said,
            List<Integer> coming,
            int saying,
            List<Integer> leaves) {
        static final Node NONE = new Node(false, false, 0, -1, List.of(), -1, Arrays.asList(new Integer[KINDS]))
                .withLeaves(new int[KINDS]);

        boolean lives() {
            return leaves.stream().anyMatch(left -> left > 0);
        }

        Node withLeaves(int[] left) {
            return new Node(
                    joined,
                    online,
                    trusts,
                    said,
                    coming,
                    saying,
                    Arrays.stream(left).boxed().toList());
        }

        Node leaf(int kind, int roots) {
            int[] left = leaves.stream().mapToInt(Integer::intValue).toArray();
            left[kind] = LIFE;
            return new Node(true, online, trusts | roots, said, coming, saying, leaves).withLeaves(left);
        }

        Node tick() {
            return withLeaves(
                    leaves.stream().mapToInt(left -> Math.max(0, left - 1)).toArray());
        }

        Node cut() {
            return new Node(joined, false, trusts, said, List.of(), -1, leaves);
        }

        Node forgotten() {
            return new Node(joined, online, trusts, -1, coming, saying, leaves);
        }

        Node told(int roots) {
            List<Integer> more = new ArrayList<>(coming);
            more.add(roots);
            return new Node(joined, online, trusts, said, more, saying, leaves);
        }

        Node connected(int roots) {
            return new Node(joined, true, trusts, said, List.of(roots), -1, leaves);
        }

        Node takes() {
            return new Node(
                    joined,
                    online,
                    coming.getFirst(),
                    said,
                    coming.subList(1, coming.size()),
                    coming.getFirst(),
                    leaves);
        }

        Node heard() {
            return new Node(joined, online, trusts, saying, coming, -1, leaves);
        }
    }

    /**
     * Everything.
     *
     * @param age ticks since the phase began, as far as they count
     */
    record World(Phase phase, int current, int other, int age, List<Node> nodes) {
        static World first() {
            return new World(Phase.STEADY, 1, 0, 0, List.of(Node.NONE, Node.NONE));
        }

        RotationState state() {
            return new RotationState(phase, current, other, NOW.minusSeconds(age));
        }

        World with(RotationState state) {
            int since =
                    (int) Math.min(LIFE, Duration.between(state.since(), NOW).toSeconds());
            int counted = state.phase() == Phase.STEADY ? 0 : since;
            return new World(state.phase(), state.current(), state.other(), counted, nodes);
        }

        World with(int at, Node node) {
            List<Node> all = new ArrayList<>(nodes);
            all.set(at, node);
            return new World(phase, current, other, age, List.copyOf(all));
        }

        World map(UnaryOperator<Node> change) {
            return new World(
                    phase, current, other, age, nodes.stream().map(change).toList());
        }

        int trusted() {
            return bits(state().trusted());
        }
    }

    private static int bits(Iterable<Integer> roots) {
        int bits = 0;
        for (int root : roots) {
            bits |= 1 << root;
        }
        return bits;
    }

    private static Set<Integer> roots(int bits) {
        Set<Integer> roots = new HashSet<>();
        for (int root = 1; root <= LAST_ROOT; root++) {
            if ((bits & (1 << root)) != 0) {
                roots.add(root);
            }
        }
        return roots;
    }

    /** The roots by which a leaf of a kind is believed. */
    private static int anchors(int kind) {
        int root = kind / 2;
        return (1 << root) | (kind % 2 == 1 ? 1 << (root - 1) : 0);
    }

    private static int kind(World world, boolean crossed) {
        return 2 * world.current() + (crossed && world.phase() == Phase.REPLACING ? 1 : 0);
    }

    private static World evaluated(World world, boolean crossed, Guards guards) {
        Map<String, Set<Integer>> nodes = new HashMap<>();
        int old = world.phase() == Phase.STEADY ? 0 : Math.min(world.current(), world.other());
        int last = 0;
        World known = world;
        for (int i = 0; i < NODES; i++) {
            Node node = world.nodes().get(i);
            last = Math.max(
                    last, Math.max(node.leaves().get(2 * old), node.leaves().get(2 * old + 1)));
            if (!node.lives() && !node.online()) {
                known = known.with(i, node.forgotten());
                continue;
            }
            boolean silent = node.said() < 0;
            int said = silent && guards != Guards.SILENCE_IS_CONSENT ? 0 : node.said();
            nodes.put("n" + i, roots(said));
        }
        boolean blind = (guards == Guards.SIGNS_AT_ONCE && world.phase() == Phase.ANNOUNCING)
                || (guards == Guards.WITHDRAWS_AT_ONCE && world.phase() == Phase.REPLACING);
        boolean forgetful = guards == Guards.FORGETS_LEAVES || guards == Guards.WITHDRAWS_AT_ONCE;
        RotationState next = Rotation.next(
                        world.state(),
                        new Rotation.View(
                                NOW,
                                blind ? Map.of() : nodes,
                                forgetful ? PAST : NOW.plusSeconds(last),
                                Instant.MAX,
                                crossed,
                                Duration.ofSeconds(LIFE)))
                .state();
        return next.equals(world.state()) ? known : announced(known.with(next));
    }

    private static World announced(World world) {
        int trusted = world.trusted();
        return world.map(node -> node.online() ? node.told(trusted) : node);
    }

    private static Map<String, World> next(World world, boolean crossed, Guards guards) {
        Map<String, World> all = new HashMap<>();
        if (world.phase() == Phase.STEADY && world.current() < LAST_ROOT) {
            all.put("rotate", announced(world.with(Rotation.begin(world.state(), world.current() + 1, NOW))));
        }
        all.put("the authority looks", evaluated(world, crossed, guards));
        all.put("the authority restarts", world.map(node -> node.cut().forgotten()));
        all.put("a tick", ticked(world));
        for (int i = 0; i < NODES; i++) {
            Node node = world.nodes().get(i);
            String who = "node " + i;
            if (!node.joined()) {
                all.put(who + " joins", world.with(i, node.leaf(kind(world, crossed), world.trusted())));
                continue;
            }
            if (!node.online()) {
                all.put(who + " connects", world.with(i, node.connected(world.trusted())));
                continue;
            }
            all.put(who + " is cut off", world.with(i, node.cut()));
            all.put(who + " gets a leaf", world.with(i, node.leaf(kind(world, crossed), world.trusted())));
            if (!node.coming().isEmpty() && node.saying() < 0) {
                all.put(who + " hears whom to trust", world.with(i, node.takes()));
            }
            if (node.saying() >= 0) {
                all.put(who + " is heard", world.with(i, node.heard()));
            }
        }
        return all;
    }

    private static World ticked(World world) {
        World older = world.map(Node::tick);
        return world.phase() == Phase.STEADY
                ? older
                : new World(
                        older.phase(), older.current(), older.other(), Math.min(LIFE, older.age() + 1), older.nodes());
    }

    /** Who does not believe whom; empty when everybody who lives believes everybody. */
    private static String violation(World world) {
        for (Node node : world.nodes()) {
            for (Node other : world.nodes()) {
                for (int kind = 0; kind < KINDS; kind++) {
                    if (node.lives() && other.leaves().get(kind) > 0 && (node.trusts() & anchors(kind)) == 0) {
                        return node + " does not believe a leaf of root " + kind / 2 + " of " + other;
                    }
                }
            }
        }
        return "";
    }

    private record Found(Map<World, World> from, Map<World, String> by, String violation, int rotations) {}

    private static Found search(boolean crossed, Guards guards) {
        Map<World, World> from = new HashMap<>();
        Map<World, String> by = new HashMap<>();
        Deque<World> open = new ArrayDeque<>();
        World first = World.first();
        from.put(first, first);
        open.add(first);
        int rotations = 0;
        while (!open.isEmpty()) {
            World world = open.remove();
            String violation = violation(world);
            if (!violation.isEmpty()) {
                return new Found(from, by, way(world, from, by) + ": " + violation, rotations);
            }
            if (world.phase() == Phase.STEADY) {
                rotations = Math.max(rotations, world.current() - 1);
            }
            next(world, crossed, guards).forEach((event, next) -> {
                if (from.putIfAbsent(next, world) == null) {
                    by.put(next, event);
                    open.add(next);
                }
            });
        }
        return new Found(from, by, "", rotations);
    }

    private static String way(World to, Map<World, World> from, Map<World, String> by) {
        List<String> events = new ArrayList<>();
        for (World at = to; by.containsKey(at); at = from.getOrDefault(at, at)) {
            events.add(by.getOrDefault(at, ""));
        }
        return String.join(", ", events.reversed());
    }

    static Outcome explore(boolean crossed, Guards guards) {
        Found found = search(crossed, guards);
        List<String> stuck = guards == Guards.AS_THEY_ARE ? stuck(found.from().keySet(), crossed) : List.of();
        return new Outcome(found.from().size(), found.rotations(), found.violation(), stuck);
    }

    private static List<String> stuck(Set<World> reached, boolean crossed) {
        List<String> stuck = new ArrayList<>();
        for (World start : reached) {
            World world = start;
            for (int i = 0; i < 4 * LIFE && world.phase() != Phase.STEADY; i++) {
                world = settled(world);
                world = evaluated(settled(ticked(world)), crossed, Guards.AS_THEY_ARE);
            }
            if (world.phase() != Phase.STEADY && stuck.size() < 3) {
                stuck.add(start + " ends at " + world);
            }
        }
        return stuck;
    }

    /** Everybody is connected and has heard and said everything. */
    private static World settled(World world) {
        World now = world;
        for (int i = 0; i < NODES; i++) {
            Node node = now.nodes().get(i);
            if (!node.joined()) {
                continue;
            }
            if (!node.online()) {
                node = node.connected(now.trusted());
            }
            while (!node.coming().isEmpty() || node.saying() >= 0) {
                node = node.saying() >= 0 ? node.heard() : node.takes();
            }
            now = now.with(i, node);
        }
        return now;
    }
}
