package dev.tulle.agent.dns;

import java.util.Locale;

/**
 * Who asks. Told by the source address, which only the kernel gives to a workload's sockets.
 *
 * @param workload namespace and name of the workload; empty for whoever is none of this node, all of whom are one asker
 * @param namespace the namespace in which short names are read
 */
public record Asker(String workload, String namespace) {
    /** Whoever is no workload. */
    public static final Asker OTHERS = new Asker("", "default");

    /** How it is called in reports: the workload, or {@code other programs}. */
    public String shown() {
        return workload.isEmpty() ? "other programs" : workload;
    }

    @Override
    public String toString() {
        return String.format(Locale.ROOT, "%s in %s", shown(), namespace);
    }
}
