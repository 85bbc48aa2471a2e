package dev.tulle.cli.role;

import dev.tulle.agent.join.Membership;
import dev.tulle.agent.join.MembershipFile;
import dev.tulle.cli.client.CommandFailure;
import dev.tulle.common.pki.SpiffeId;
import dev.tulle.common.pki.TlsIdentity;
import dev.tulle.identity.request.CsrMaker;
import dev.tulle.xds.JoinToken;
import dev.tulle.xds.NodeAdmission;
import dev.tulle.xds.NodeJoin;
import java.io.IOException;
import java.nio.file.Path;
import java.security.KeyPair;
import java.security.cert.CertificateException;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** How a host becomes a node of a mesh whose control plane is on another one, and finds that again. A mixin. */
final class JoinOptions {
    private static final int PORT = 15012;
    private static final int MAX_PORT = 65535;

    @Option(
            names = "--join",
            paramLabel = "HOST[:PORT]",
            description =
                    "Join the mesh whose control plane is there, with --token; once: a host that has joined starts"
                            + " as a node of that mesh from then on. Default port: " + PORT + ".")
    private @Nullable String join;

    @Option(names = "--token", paramLabel = "TOKEN", description = "What 'tulle token create' gave on the other host.")
    private @Nullable String token;

    /** True when the command line asks to join. */
    boolean isAsked() {
        return join != null || token != null;
    }

    /**
     * Joins if that is asked for, else finds what was joined before.
     *
     * @param state the state directory
     * @param node this host's name
     * @return empty for a host with a mesh of its own
     * @throws IOException with a sentence
     */
    Optional<Membership> membership(Path state, String node) throws IOException {
        MembershipFile file = new MembershipFile(state);
        Optional<Membership> known = file.load();
        if (!isAsked()) {
            return known;
        }
        String where = join;
        String what = token;
        if (where == null || what == null) {
            throw new CommandFailure(
                    CommandFailure.USAGE,
                    where == null ? "--token without --join: expected both" : "--join without --token: expected both");
        }
        if (known.isPresent()) {
            // The same command line in a unit file, started again: the token was used the first time.
            if (address(known.get()).equals(address(where))) {
                return known;
            }
            throw new CommandFailure(
                    CommandFailure.NO,
                    "this host is " + known.get() + "; to leave that mesh, 'tulle node remove "
                            + known.get().node() + "' there, then remove " + state.resolve("membership.json")
                            + " and membership.json.before here");
        }
        Membership joined = join(where, what, node);
        file.save(joined);
        return Optional.of(joined);
    }

    private static String address(Membership membership) {
        return membership.host() + ":" + membership.port();
    }

    private static String address(String given) {
        return host(given) + ":" + port(given);
    }

    private static String host(String given) {
        boolean bracketed = given.startsWith("[") && given.contains("]");
        if (bracketed) {
            return given.substring(1, given.indexOf(']'));
        }
        int colon = given.indexOf(':');
        // More than one colon and no brackets: an IPv6 address alone.
        return colon < 0 || given.indexOf(':', colon + 1) >= 0 ? given : given.substring(0, colon);
    }

    private static int port(String given) {
        String rest = given.startsWith("[") && given.contains("]")
                ? given.substring(given.indexOf(']') + 1)
                : given.substring(host(given).length());
        if (rest.isEmpty()) {
            return PORT;
        }
        try {
            int port = Integer.parseInt(rest.substring(1));
            if (rest.charAt(0) == ':' && port > 0 && port <= MAX_PORT) {
                return port;
            }
        } catch (NumberFormatException e) {
            // Told below.
        }
        throw new CommandFailure(
                CommandFailure.USAGE, "--join: '" + given + "'; expected HOST or HOST:PORT, such as 192.0.2.1:" + PORT);
    }

    private static Membership join(String where, String what, String node) throws IOException {
        JoinToken shown;
        try {
            shown = JoinToken.parse(what);
        } catch (IllegalArgumentException e) {
            throw new CommandFailure(CommandFailure.USAGE, "--token: " + e.getMessage());
        }
        KeyPair key = CsrMaker.newKey();
        NodeAdmission.Decision.Joined joined = NodeJoin.join(host(where), port(where), shown, node, CsrMaker.der(key));
        try {
            SpiffeId id = SpiffeId.of(joined.chain().getFirst());
            if (!id.node().equals(Optional.of(node)) || id.isProxy()) {
                throw new IOException(
                        "joining " + where + ": it gave a certificate for " + id + ", expected one for node " + node);
            }
            TlsIdentity identity = new TlsIdentity(joined.chain(), key.getPrivate(), "node " + node);
            return new Membership(node, host(where), port(where), identity, joined.roots());
        } catch (CertificateException e) {
            throw new IOException("joining " + where + ": " + e.getMessage(), e);
        }
    }
}
