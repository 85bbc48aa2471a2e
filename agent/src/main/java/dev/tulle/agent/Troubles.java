package dev.tulle.agent;

import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** What is wrong with the agent's work now: at most one sentence for each part of it, until that part succeeds again. Owner thread only. */
final class Troubles {
    private static final System.Logger LOG = System.getLogger(Troubles.class.getName());

    /** A part of the agent's work. */
    enum Part {
        /** The kernel, routes and addresses as they are wanted. */
        DATA_PATH("data path"),
        /** Looking at the workloads' control groups. */
        GROUPS("control groups"),
        /** The node's prefix from the control plane. */
        PREFIX("lease of the control plane"),
        /** Leases on disk. */
        LEASES("leases"),
        /** Services on disk. */
        SERVICES("services on disk"),
        /** Ports that workloads publish and somebody else has. */
        PUBLISHED("published ports"),
        /** The port for tunnels of other nodes. */
        NODES("other nodes"),
        /** Ports that Gateways want and somebody else has. */
        GATEWAY("gateway ports"),
        /** Processes in the mesh's groups that no lease knows. */
        STRAYS("unknown workloads");

        private final String words;

        Part(String words) {
            this.words = words;
        }
    }

    private final Map<Part, String> now = new EnumMap<>(Part.class);

    /** Something failed; logged when it is new. */
    void set(Part part, String why) {
        String sentence = part.words + ": " + why;
        if (!sentence.equals(now.put(part, sentence))) {
            LOG.log(System.Logger.Level.ERROR, sentence);
        }
    }

    /** It works, or works again. */
    void clear(Part part) {
        String before = now.remove(part);
        if (before != null) {
            LOG.log(System.Logger.Level.INFO, "no longer: " + before);
        }
    }

    /** As a part says itself: an empty sentence is none. */
    void report(Part part, String why) {
        if (why.isEmpty()) {
            clear(part);
        } else {
            set(part, why);
        }
    }

    /** What is wrong with one part. */
    Optional<String> of(Part part) {
        return Optional.ofNullable(now.get(part));
    }

    /** Everything that is wrong now. */
    List<String> all() {
        return List.copyOf(now.values());
    }
}
