package dev.tulle.control;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import dev.tulle.common.Cidr;
import dev.tulle.control.state.JsonStateFile;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Which node holds which prefix, the same over restarts of node and control plane, and which nodes had workloads when the
 * control plane last ran. Runs on the control plane's owner thread.
 */
final class NodeLeases {
    /** Addresses of one node: a /24. */
    static final int PREFIX_LENGTH = 24;

    private static final System.Logger LOG = System.getLogger(NodeLeases.class.getName());

    private final JsonStateFile file;
    private final Cidr range;
    private final Map<String, Cidr> prefixes = new HashMap<>();
    private final Set<String> active = new HashSet<>();

    private NodeLeases(JsonStateFile file, Cidr range) {
        this.file = file;
        this.range = range;
    }

    /**
     * Reads what was leased before; prefixes outside the range are given up.
     */
    static NodeLeases load(JsonStateFile file, Cidr range) {
        NodeLeases leases = new NodeLeases(file, range);
        for (Map.Entry<String, JsonElement> entry : file.read().entrySet()) {
            try {
                JsonObject lease = entry.getValue().getAsJsonObject();
                Cidr prefix = Cidr.around("prefix", lease.get("prefix").getAsString());
                if (leases.isFree(prefix)) {
                    leases.prefixes.put(entry.getKey(), prefix);
                    if (lease.get("active").getAsBoolean()) {
                        leases.active.add(entry.getKey());
                    }
                    continue;
                }
            } catch (RuntimeException e) {
                LOG.log(System.Logger.Level.DEBUG, "no lease", e);
            }
            LOG.log(
                    System.Logger.Level.WARNING,
                    "node {0} loses its lease {1}: expected a free /{2} of {3}",
                    entry.getKey(),
                    entry.getValue(),
                    PREFIX_LENGTH,
                    range);
        }
        return leases;
    }

    private boolean isFree(Cidr prefix) {
        return prefix.bits() == PREFIX_LENGTH && range.contains(prefix) && !prefixes.containsValue(prefix);
    }

    /** What was wrong with the file, for people; empty when nothing was. */
    String trouble() {
        return file.trouble();
    }

    /** The nodes that had workloads when this was last written. */
    Set<String> active() {
        return Set.copyOf(active);
    }

    /** The prefix of a node: the one it has, else the one it wants if free, else a free one; empty when all are used. */
    Optional<Cidr> grant(String node, String wanted) {
        Cidr known = prefixes.get(node);
        if (known != null) {
            return Optional.of(known);
        }
        Optional<Cidr> found =
                wanted.isEmpty() ? Optional.empty() : parse(wanted).filter(this::isFree);
        if (found.isEmpty()) {
            Set<Cidr> used = new HashSet<>(prefixes.values());
            for (int i = 0; i < range.parts(PREFIX_LENGTH); i++) {
                Cidr candidate = range.part(PREFIX_LENGTH, i);
                if (!used.contains(candidate)) {
                    found = Optional.of(candidate);
                    break;
                }
            }
        }
        found.ifPresent(prefix -> {
            prefixes.put(node, prefix);
            save();
        });
        return found;
    }

    /** The prefix of a node; empty when it has none. */
    Optional<Cidr> of(String node) {
        return Optional.ofNullable(prefixes.get(node));
    }

    /** True when a node has a prefix. */
    boolean has(String node) {
        return prefixes.containsKey(node);
    }

    /** A node's prefix is free. */
    void free(String node) {
        active.remove(node);
        if (prefixes.remove(node) != null) {
            save();
        }
    }

    private static Optional<Cidr> parse(String text) {
        try {
            return Optional.of(Cidr.around("prefix", text));
        } catch (IllegalArgumentException e) {
            LOG.log(System.Logger.Level.WARNING, "a node wants a prefix that is none", e);
            return Optional.empty();
        }
    }

    /** Notes whether a node has workloads, so that the next process knows for whom to wait. */
    void setActive(String node, boolean has) {
        if (has ? active.add(node) : active.remove(node)) {
            save();
        }
    }

    private void save() {
        JsonObject content = new JsonObject();
        prefixes.forEach((node, prefix) -> {
            JsonObject lease = new JsonObject();
            lease.addProperty("prefix", prefix.toString());
            lease.addProperty("active", active.contains(node));
            content.add(node, lease);
        });
        try {
            file.write(content);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
