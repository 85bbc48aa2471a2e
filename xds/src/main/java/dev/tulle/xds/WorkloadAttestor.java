package dev.tulle.xds;

import dev.tulle.common.pki.SpiffeId;

/** Says which workload a process is, by what the kernel knows of it. Thread-safe. */
@FunctionalInterface
public interface WorkloadAttestor {
    /**
     * Looks at who has connected; on the event loop, so it must not block for long.
     *
     * @param socket the descriptor of the accepted connection, to be used during the call only
     * @param uid the user at the other end
     */
    Caller connected(int socket, int uid);

    /** The process at the other end of one connection. */
    interface Caller extends AutoCloseable {
        /** For whom its connections and streams are counted: its workload, or the user of a process in none. */
        String account();

        /** What it is now: it may have ended, or been moved, since it connected. Any thread, before it is closed. */
        Standing standing();

        /** The connection has ended. */
        @Override
        void close();
    }

    /** What a process is. */
    sealed interface Standing {
        /** In a workload with this identity. */
        record Workload(SpiffeId identity) implements Standing {}

        /** In none; why, for whoever asked. */
        record Nobody(String why) implements Standing {}
    }
}
