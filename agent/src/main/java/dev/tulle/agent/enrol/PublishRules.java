package dev.tulle.agent.enrol;

import dev.tulle.agent.enrol.EnrolSpec.Publication;
import dev.tulle.agent.enrol.RefusedException.Code;
import java.util.Set;

/**
 * Which ports may be published. The agent opens them and hands them to the node proxy, so those below the host's limit for
 * unprivileged processes are no exception.
 *
 * @param taken ports that the mesh itself uses
 */
public record PublishRules(Set<Integer> taken) {
    public PublishRules {
        taken = Set.copyOf(taken);
    }

    void check(Publication wanted) throws RefusedException {
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
        return address.equals("0.0.0.0") || address.equals("::") || address.equals(Publication.ALL);
    }
}
