package dev.tulle.xds;

/** Who asks the control plane for a certificate, by what it cannot forge. */
public sealed interface Asker {
    /** Root of the control plane's own host, or the user that runs it: it could read the authority's keys as well. */
    record Local() implements Asker {
        @Override
        public String toString() {
            return "root of this host";
        }
    }

    /**
     * A node that has joined, by its certificate.
     *
     * @param name its name
     */
    record Node(String name) implements Asker {
        @Override
        public String toString() {
            return "node " + name;
        }
    }
}
