package dev.tulle.agent.enrol;

import dev.tulle.agent.enrol.EnrolSpec.Publication;
import dev.tulle.agent.enrol.RefusedException.Code;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;

/**
 * Which ports may be published. The node proxy opens them itself and holds no capability, so ports below the host's
 * limit are out of its reach.
 *
 * @param proxyUid the user that the proxy runs as; 0 may bind any port
 * @param firstUnprivileged the lowest port that any user may bind
 * @param taken ports that the mesh itself uses
 */
public record PublishRules(int proxyUid, int firstUnprivileged, Set<Integer> taken) {
    private static final Path LIMIT = Path.of("/proc/sys/net/ipv4/ip_unprivileged_port_start");

    public PublishRules {
        taken = Set.copyOf(taken);
    }

    /** The rules of this host; 1024 is the kernel's own default limit. */
    public static PublishRules ofHost(int proxyUid, Set<Integer> taken) {
        int limit = 1024;
        try {
            limit = Integer.parseInt(Files.readString(LIMIT).strip());
        } catch (IOException | NumberFormatException e) {
            System.getLogger(PublishRules.class.getName()).log(System.Logger.Level.DEBUG, LIMIT + ": " + e);
        }
        return new PublishRules(proxyUid, limit, taken);
    }

    void check(Publication wanted) throws RefusedException {
        if (wanted.port() < firstUnprivileged && proxyUid != 0) {
            throw new RefusedException(
                    Code.FORBIDDEN,
                    "port " + wanted.port() + " cannot be published: the node proxy runs without privileges and this"
                            + " host lets it open ports from " + firstUnprivileged
                            + " on (net.ipv4.ip_unprivileged_port_start)");
        }
        if (taken.contains(wanted.port())) {
            throw new RefusedException(Code.EXISTS, "port " + wanted.port() + " is used by the mesh itself");
        }
    }

    static boolean collide(Publication one, Publication other) {
        boolean sameAddress =
                one.address().equals(other.address()) || isWildcard(one.address()) || isWildcard(other.address());
        return one.port() == other.port() && sameAddress;
    }

    private static boolean isWildcard(String address) {
        return address.equals("0.0.0.0") || address.equals("::");
    }
}
