package dev.tulle.control.join;

import dev.tulle.common.OwnerThread;
import dev.tulle.common.VisibleText;
import dev.tulle.common.pki.SpiffeId;
import dev.tulle.control.state.JsonStateFile;
import dev.tulle.xds.JoinToken;
import dev.tulle.xds.NodeAdmission;
import java.io.IOException;
import java.nio.file.Path;
import java.security.cert.CertificateEncodingException;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * Other hosts as nodes of the mesh: who may join, who has joined, and the port at which they speak with the control plane,
 * which is open as long as a token waits or a node has joined. Methods run on the control plane's owner thread, but for
 * {@link #join}.
 */
public final class Nodes implements NodeAdmission {
    /** The longest time for which a token may wait. */
    static final Duration LONGEST = Duration.ofDays(7);

    /** Names that may be registered: with another one a node would have joined for nothing. */
    private static final Pattern NAME = Pattern.compile("[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?");

    /** Characters of a name from outside that an answer repeats. */
    private static final int SHOWN = 253;

    private static final System.Logger LOG = System.getLogger(Nodes.class.getName());

    /** The rest of the control plane. */
    public interface Mesh {
        /** Opens the port for nodes, if it is not open. */
        void open() throws IOException;

        /** True when a node of this name has ever been in the mesh. */
        boolean isKnown(String node);

        /** True when the stream of a node of this name is open. */
        boolean isConnected(String node);

        /** Forgets a node: its streams end, its workloads leave, its prefix is free. */
        void forget(String node);
    }

    private final OwnerThread owner;
    private final InstantSource clock;
    private final NodeSigner signer;
    private final String trustDomain;
    private final Mesh mesh;
    private final JoinTokens tokens;
    private final JoinedNodes joined;

    /**
     * Reads what there was.
     *
     * @param state where it is kept
     */
    public Nodes(OwnerThread owner, Path state, NodeSigner signer, String trustDomain, Mesh mesh, InstantSource clock) {
        this.owner = owner;
        this.clock = clock;
        this.signer = signer;
        this.trustDomain = trustDomain;
        this.mesh = mesh;
        this.tokens = JoinTokens.load(new JsonStateFile(state.resolve("join-tokens.json"), "join-tokens"), clock);
        this.joined = JoinedNodes.load(new JsonStateFile(state.resolve("joined-nodes.json"), "joined-nodes"));
    }

    /** What was wrong with the files, one sentence each. */
    public List<String> troubles() {
        return Stream.of(tokens.trouble(), joined.trouble())
                .filter(trouble -> !trouble.isEmpty())
                .toList();
    }

    /** True when nodes are expected, so that the port has to be open. */
    public boolean areExpected() {
        return !joined.isEmpty() || tokens.size() > 0;
    }

    /** Whether the certificate of a node is that of one that has joined and was not removed. */
    public boolean admits(String node) {
        return joined.get(node).isPresent();
    }

    /** When and from where nodes have joined, by name. */
    public Map<String, String> joined() {
        Map<String, String> out = new java.util.TreeMap<>();
        joined.all().forEach((name, one) -> out.put(name, one.since() + " from " + one.from()));
        return out;
    }

    /**
     * Makes a token.
     *
     * @param node the only node that may use it, also one that has been here before; empty: any new one
     * @throws IOException with a sentence, when there can be none
     */
    public Issued createToken(String node, Duration life) throws IOException {
        if (life.isNegative() || life.isZero() || life.compareTo(LONGEST) > 0) {
            throw new IOException(
                    "a token for " + life + ", expected more than nothing and at most " + LONGEST.toDays() + " days");
        }
        if (!node.isEmpty()) {
            checkName(node);
        }
        mesh.open();
        JoinToken token = tokens.create(node, life, rootHash());
        return new Issued(token.text(), clock.instant().plus(life));
    }

    /**
     * A token that was made.
     *
     * @param text what is to be given to the node
     * @param until when its time is over
     */
    public record Issued(String text, Instant until) {}

    private String rootHash() throws IOException {
        try {
            return JoinToken.digest(signer.roots().getFirst().getEncoded());
        } catch (CertificateEncodingException e) {
            throw new IOException("the root cannot be named", e);
        }
    }

    private SpiffeId checkName(String node) throws IOException {
        if (!NAME.matcher(node).matches()) {
            throw new IOException("node name '" + VisibleText.line(node, SHOWN)
                    + "': expected lower-case letters, digits, '-' and '.', at most 253, see --node");
        }
        return SpiffeId.node(trustDomain, node);
    }

    /**
     * Takes a node out of the mesh. It stays out, whatever certificates it still has, until it joins again.
     *
     * @return false when no node of this name has joined
     * @throws IOException when that cannot be kept, and then it stays in
     */
    public boolean remove(String node) throws IOException {
        boolean removed = joined.remove(node);
        if (removed) {
            mesh.forget(node);
        }
        return removed;
    }

    @Override
    public Decision join(String token, String node, byte[] csr, String from) {
        try {
            SpiffeId identity = checkName(node);
            Optional<String> refusal = owner.call(() -> admit(JoinToken.parse(token), node, from));
            if (refusal.isPresent()) {
                return new Decision.Refused(refusal.get());
            }
            List<X509Certificate> chain = signer.sign(csr, identity);
            LOG.log(System.Logger.Level.INFO, "node {0} has joined from {1}", node, from);
            return new Decision.Joined(chain, signer.roots());
        } catch (IOException | IllegalArgumentException e) {
            return new Decision.Refused(String.valueOf(e.getMessage()));
        }
    }

    /** Why a node may not join; empty when it has joined. */
    private Optional<String> admit(JoinToken token, String node, String from) {
        try {
            switch (tokens.use(token)) {
                case JoinTokens.Shown.Refused(String reason) -> {
                    return Optional.of(reason);
                }
                case JoinTokens.Shown.Used(String only) -> {
                    if (!only.isEmpty() && !only.equals(node)) {
                        return Optional.of(token + " is for node " + only + ", found " + node);
                    }
                    if (mesh.isConnected(node) || (only.isEmpty() && (mesh.isKnown(node) || admits(node)))) {
                        return Optional.of("a node " + node + " is in the mesh already; expected another name (--node),"
                                + " or remove that one first (tulle node remove " + node + ")");
                    }
                    joined.add(node, new JoinedNodes.Joined(clock.instant(), from));
                    return Optional.empty();
                }
            }
        } catch (IOException e) {
            return Optional.of("the control plane cannot write down who has joined: " + e.getMessage());
        }
    }
}
