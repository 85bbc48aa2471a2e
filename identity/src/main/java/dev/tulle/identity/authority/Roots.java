package dev.tulle.identity.authority;

import dev.tulle.common.pki.UnusableCertificateException;
import dev.tulle.identity.rotation.Rotation;
import dev.tulle.identity.rotation.RotationState;
import dev.tulle.identity.rotation.RotationState.Phase;
import java.io.IOException;
import java.security.KeyPair;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;

/** The roots of an authority with what signs below them, and the rotation from one to the next. One thread at a time. */
final class Roots {
    private static final System.Logger LOG = System.getLogger(Roots.class.getName());

    /** New roots hold from a little before they are made: clocks differ. */
    private static final Duration SKEW = Duration.ofMinutes(10);

    /** Nodes that are away are waited for so long at most, where the new root is signed by the old one. */
    private static final Duration PATIENCE = Duration.ofHours(1);

    /** The number of an authority that is plugged in. */
    private static final int PLUGGED_IN = 1;

    private final AuthorityOptions options;
    private final CertificateMaker maker;
    private final Optional<AuthorityStore> store;
    private final TreeMap<Integer, SigningAuthority> byNumber = new TreeMap<>();
    private final Map<String, Set<String>> said = new HashMap<>();
    private RotationState state;
    private Set<String> living = Set.of();
    private List<String> waiting = List.of();

    private Roots(
            AuthorityOptions options, CertificateMaker maker, Optional<AuthorityStore> store, RotationState state) {
        this.options = options;
        this.maker = maker;
        this.store = store;
        this.state = state;
    }

    static Roots open(AuthorityOptions options, CertificateMaker maker, Instant now)
            throws UnusableCertificateException, IOException {
        Passphrase passphrase = options.passphraseFile().isPresent()
                ? Passphrase.of(options.passphraseFile().get())
                : Passphrase.none();
        if (options.pluggedIn().isPresent()) {
            Roots roots = new Roots(options, maker, Optional.empty(), RotationState.steady(PLUGGED_IN, now));
            roots.byNumber.put(
                    PLUGGED_IN, AuthorityFolder.load(options.pluggedIn().get(), passphrase, now));
            return roots;
        }
        AuthorityStore store = new AuthorityStore(options.folder(), passphrase, options.trustDomain());
        Optional<RotationState> kept = store.load(now);
        Roots roots = new Roots(options, maker, Optional.of(store), kept.orElseGet(() -> RotationState.steady(1, now)));
        if (kept.isEmpty()) {
            store.add(1, roots.make(Optional.empty(), now));
            store.save(roots.state);
        }
        for (int number : roots.state.trusted()) {
            roots.read(store, number, now);
        }
        return roots;
    }

    /** A root that goes may have ended while nobody looked: then it is gone already. */
    private void read(AuthorityStore from, int number, Instant now) throws UnusableCertificateException, IOException {
        try {
            byNumber.put(number, from.root(number, now));
        } catch (UnusableCertificateException e) {
            if (number == state.newest()) {
                throw e;
            }
            LOG.log(System.Logger.Level.WARNING, "the older root is not used any more: {0}", e.getMessage());
            state = RotationState.steady(state.newest(), now);
            from.save(state);
            byNumber.remove(number);
        }
    }

    /** A new root with an intermediate, signed by the root before it where its key is there. */
    private SigningAuthority make(Optional<SigningAuthority> before, Instant now) {
        Instant from = now.minus(SKEW).truncatedTo(ChronoUnit.SECONDS);
        CertificateMaker.Validity validity =
                new CertificateMaker.Validity(from, now.plus(options.rootLife()).truncatedTo(ChronoUnit.SECONDS));
        KeyPair rootKey = options.keys().generate();
        KeyPair key = options.keys().generate();
        X509Certificate root = maker.root(rootKey, options.trustDomain(), validity);
        X509Certificate issuer =
                maker.intermediate(key.getPublic(), root, rootKey.getPrivate(), options.trustDomain(), validity);
        Optional<X509Certificate> cross = before.flatMap(
                old -> old.rootKey().map(oldKey -> maker.cross(root, old.root(), oldKey, options.trustDomain(), from)));
        return new SigningAuthority(
                issuer, key.getPrivate(), List.of(), List.of(root), Optional.of(rootKey.getPrivate()), cross);
    }

    RotationState state() {
        return state;
    }

    boolean isPluggedIn() {
        return store.isEmpty();
    }

    List<String> waiting() {
        return waiting;
    }

    /** The roots that each living node says it trusts; empty for one that has not said. */
    Map<String, List<String>> trustedBy() {
        return living.stream().collect(Collectors.toMap(node -> node, node -> said.getOrDefault(node, Set.of()).stream()
                .sorted()
                .toList()));
    }

    Map<Integer, SigningAuthority> byNumber() {
        return byNumber;
    }

    SigningAuthority signing() {
        return of(state.current());
    }

    private SigningAuthority of(int number) {
        SigningAuthority found = byNumber.get(number);
        if (found == null) {
            throw new IllegalStateException("root " + number + " is in use and was not read");
        }
        return found;
    }

    /** What leaves are sent with now. */
    List<X509Certificate> sent() {
        return state.phase() == Phase.REPLACING
                ? signing().sentAcross()
                : signing().sent();
    }

    /** The roots to be trusted, the one that signs first. */
    List<X509Certificate> trusted() {
        return isPluggedIn()
                ? signing().roots()
                : state.trusted().stream().map(number -> of(number).root()).toList();
    }

    void trusts(String node, Set<String> fingerprints) {
        said.put(node, Set.copyOf(fingerprints));
    }

    /**
     * Makes the next root and announces it.
     *
     * @throws RefusedSignatureException when there is nothing to begin
     */
    void begin(Instant now) throws RefusedSignatureException, IOException {
        if (store.isEmpty()) {
            throw new RefusedSignatureException("the authority is plugged in from "
                    + options.pluggedIn().map(Object::toString).orElse("")
                    + ": it is not rotated here. Put the new root"
                    + " beside the old one into root-cert.pem there and start the control plane again, on every node"
                    + " `tulle certificates` shows it, then exchange ca-cert.pem and ca-key.pem");
        }
        if (state.phase() != Phase.STEADY) {
            throw new RefusedSignatureException("root " + state.newest() + " is taking the place of another since "
                    + state.since() + ": expected that to end first");
        }
        int next = state.current() + 1;
        SigningAuthority made = make(Optional.of(signing()), now);
        store.get().add(next, made);
        RotationState announced = Rotation.begin(state, next, now.truncatedTo(ChronoUnit.SECONDS));
        store.get().save(announced);
        byNumber.put(next, made);
        state = announced;
        LOG.log(System.Logger.Level.INFO, "root {0} is announced beside root {1}", next, state.current());
    }

    /**
     * Takes the steps that are due.
     *
     * @return whether something has changed
     */
    boolean advance(Collection<IssueLog.Issued> leaves, Set<String> connected, Instant now) throws IOException {
        Set<String> nodes = new HashSet<>(connected);
        leaves.forEach(leaf -> nodes.add(leaf.node()));
        nodes.remove("");
        living = Set.copyOf(nodes);
        said.keySet().retainAll(nodes);
        if (store.isEmpty()) {
            return false;
        }
        if (state.phase() == Phase.STEADY && !now.isBefore(due())) {
            try {
                begin(now);
            } catch (RefusedSignatureException e) {
                throw new IllegalStateException("a steady root can be replaced", e);
            }
            return true;
        }
        Rotation.Step step = Rotation.next(state, view(leaves, now.truncatedTo(ChronoUnit.SECONDS)));
        waiting = step.waiting();
        if (step.state().equals(state)) {
            return false;
        }
        store.get().save(step.state());
        state = step.state();
        LOG.log(
                System.Logger.Level.INFO,
                state.phase() == Phase.STEADY ? "root {0} alone is trusted now" : "root {0} signs now",
                state.current());
        for (int number : Set.copyOf(byNumber.keySet())) {
            if (!state.trusted().contains(number)) {
                byNumber.remove(number);
                store.get().remove(number);
            }
        }
        return true;
    }

    /** When the next rotation begins by itself. */
    Instant due() {
        X509Certificate root = signing().root();
        return Rotation.due(root.getNotBefore().toInstant(), root.getNotAfter().toInstant(), options.leafLife());
    }

    private Rotation.View view(Collection<IssueLog.Issued> leaves, Instant now) {
        if (state.phase() == Phase.STEADY) {
            return new Rotation.View(now, Map.of(), Instant.EPOCH, Instant.MAX, false, PATIENCE);
        }
        Map<String, Integer> numbers = new HashMap<>();
        byNumber.forEach((number, root) -> numbers.put(Fingerprints.of(root.root()), number));
        Map<String, Set<Integer>> trusts = new HashMap<>();
        for (String node : living) {
            trusts.put(
                    node,
                    said.getOrDefault(node, Set.of()).stream()
                            .filter(numbers::containsKey)
                            .map(numbers::get)
                            .collect(Collectors.toSet()));
        }
        int old = Math.min(state.current(), state.other());
        Instant last = leaves.stream()
                .filter(leaf -> leaf.root() == old)
                .map(IssueLog.Issued::end)
                .max(Instant::compareTo)
                .orElse(Instant.EPOCH);
        Duration patience = options.leafLife().compareTo(PATIENCE) < 0 ? options.leafLife() : PATIENCE;
        return new Rotation.View(
                now, trusts, last, of(old).end(), of(state.newest()).cross().isPresent(), patience);
    }
}
