package dev.tulle.xds;

import dev.tulle.common.SocketAccess;
import io.grpc.Attributes;

/** Who is at the other end of a connection, by what it cannot forge. */
sealed interface Peer {
    /** Where the attributes of a connection over a Unix socket hold it. */
    Attributes.Key<Peer> KEY = Attributes.Key.create("tulle-peer");

    /**
     * A process of this host, as the kernel noted it when it connected.
     *
     * @param uid its effective user
     * @param pid its number then; another process may have it by now, so it is for people only
     */
    record LocalProcess(int uid, int pid) implements Peer {
        @Override
        public boolean speaksFor(String node) {
            return true;
        }

        @Override
        public boolean registers() {
            return SocketAccess.isOwner(uid);
        }

        @Override
        public String holder() {
            return "uid " + uid;
        }

        @Override
        public String toString() {
            return holder() + ", pid " + pid;
        }
    }

    /**
     * A node that has joined, by its certificate.
     *
     * @param name its name
     * @param proxies true for its proxies, which read and register nothing
     * @param address where it connected from, for people
     */
    record Node(String name, boolean proxies, String address) implements Peer {
        @Override
        public boolean speaksFor(String node) {
            return name.equals(node);
        }

        @Override
        public boolean registers() {
            return !proxies;
        }

        @Override
        public String holder() {
            return (proxies ? "the proxies of node " : "node ") + name;
        }

        @Override
        public String toString() {
            return holder() + ", " + address;
        }
    }

    /**
     * Somebody on another host without a certificate.
     *
     * @param address where it connected from, for people
     */
    record Stranger(String address) implements Peer {
        @Override
        public boolean reads() {
            return false;
        }

        @Override
        public boolean speaksFor(String node) {
            return false;
        }

        @Override
        public boolean registers() {
            return false;
        }

        @Override
        public String holder() {
            return "somebody without a certificate";
        }

        @Override
        public String toString() {
            return holder() + ", " + address;
        }
    }

    /** True when it may have resources at all. */
    default boolean reads() {
        return true;
    }

    /** True when it may be a client that says it is of this node. */
    boolean speaksFor(String node);

    /** True when it may register nodes, or the one that it is, and workloads. */
    boolean registers();

    /** Whose share of what is bounded it uses, for people. */
    String holder();
}
