package dev.tulle.agent.identity;

import dev.tulle.xds.Trust;
import java.security.cert.X509Certificate;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.Consumer;
import java.util.function.Supplier;

/**
 * Whom the control plane says to believe: put into force on this node, and answered when it is. An answer is a promise that
 * a rotation builds upon, so there is none before every proxy has the roots. One thread at a time.
 */
public final class AnnouncedTrust {
    private Optional<Trust> latest = Optional.empty();
    private Optional<Node> node = Optional.empty();
    private boolean owed;

    /** None yet. */
    public AnnouncedTrust() {}

    /**
     * What there is to do with roots.
     *
     * @param believe puts them into force, and keeps what has to be kept
     * @param inForce those that are in force everywhere on this node now
     * @param answer tells the control plane their fingerprints
     */
    public record Node(
            Consumer<List<X509Certificate>> believe,
            Supplier<List<X509Certificate>> inForce,
            Consumer<Set<String>> answer) {}

    /** From now on there is somebody to believe; what was said before is made up for. */
    public void follow(Node followed) {
        node = Optional.of(followed);
        latest.ifPresent(this::told);
    }

    /** The control plane has said it, after a connect or a change. */
    public void told(Trust trust) {
        latest = Optional.of(trust);
        if (node.isPresent()) {
            owed = true;
            node.get().believe().accept(trust.roots());
            look();
        }
    }

    /** Answers when it is time to; to be called every second or so. */
    public void look() {
        if (owed && latest.isPresent() && node.isPresent()) {
            Trust trust = latest.get();
            if (Set.copyOf(node.get().inForce().get()).equals(Set.copyOf(trust.roots()))) {
                owed = false;
                node.get().answer().accept(trust.fingerprints());
            }
        }
    }
}
