package dev.tulle.control;

import dev.tulle.common.Cidr;
import dev.tulle.common.LocalApiServer;
import dev.tulle.common.LocalRefusals;
import dev.tulle.common.OwnerThread;
import dev.tulle.common.PrivateFiles;
import dev.tulle.config.ConfigDirectory;
import dev.tulle.config.ConfigDirectoryOptions;
import dev.tulle.config.ConfigSnapshot;
import dev.tulle.config.MeshChecks;
import dev.tulle.config.NumberedVipAllocator;
import dev.tulle.config.Problem;
import dev.tulle.config.SecretFile;
import dev.tulle.config.Translation;
import dev.tulle.config.Translator;
import dev.tulle.control.authority.MeshAuthority;
import dev.tulle.control.join.AuthoritySigner;
import dev.tulle.control.join.NodeSigner;
import dev.tulle.control.join.Nodes;
import dev.tulle.control.join.OwnCertificate;
import dev.tulle.control.state.JsonStateFile;
import dev.tulle.identity.authority.CertificateAuthority;
import dev.tulle.model.Caller;
import dev.tulle.model.Listener;
import dev.tulle.model.MeshState;
import dev.tulle.xds.ClientStand;
import dev.tulle.xds.Trust;
import dev.tulle.xds.XdsClientState;
import dev.tulle.xds.XdsServer;
import dev.tulle.xds.XdsServerOptions;
import dev.tulle.xds.XdsServerStats;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * The control plane: configuration and registrations in, one immutable state out, over xDS. One owner thread holds
 * everything that changes; each change makes a whole new state, which is sent as the differences from the last one.
 *
 * <p>After a start nothing is sent until the configuration is read and the nodes that had workloads have announced them
 * again, or have had time to: so that a restart takes nothing away from anybody.
 */
public final class ControlPlane implements AutoCloseable {
    private static final System.Logger LOG = System.getLogger(ControlPlane.class.getName());

    /** How often it is looked whether the first state may be sent. */
    private static final Duration LOOK = Duration.ofMillis(20);

    /** How long a workload waits for clients that do not take the state that has it. */
    private static final Duration SLOW_CLIENTS = Duration.ofMillis(500);

    /** What no resource refers to any more is kept so long for clients that have not heard of it yet. */
    private static final Duration SECRETS_KEPT = Duration.ofSeconds(60);

    /** How often the names of the clients are kept. */
    private static final Duration ROSTER = Duration.ofSeconds(1);

    private final ControlOptions options;
    private final OwnerThread owner = new OwnerThread("control");
    private final LocalRefusals refusals = new LocalRefusals();
    private final Instant started = Instant.now();
    private final ConfigDirectory directory;
    private final KnownClients known;
    private final ServiceAddresses addresses;
    private final WorkloadRegistry registry;
    private final Nodes nodes;
    private final OwnCertificate certificate;
    private final CertificateAuthority authority;
    private final XdsServer xds;
    private final ControlMetrics metrics;

    /** State files that were not whole at the start, one sentence each. */
    private final List<String> damages;

    private final List<AutoCloseable> parts = new ArrayList<>();
    private int httpPort;
    private boolean graceOver;

    /** The port for nodes; null while it is closed. */
    private @Nullable AutoCloseable door;

    private boolean rebuildPlanned;

    /** Those who wait until what they have registered is in force. */
    private final List<Runnable> registered = new ArrayList<>();

    private final SecretFolder secrets;
    private List<SecretFile> secretFiles = List.of();
    private long secretChanges;

    private final RebuildPace pace;
    private List<Problem> ownProblems = List.of();

    /** The configuration last seen; set by the directory's thread, read by the owner. */
    private volatile ConfigSnapshot config;

    /** Who has left lately; set by the owner, read by anybody. */
    private volatile EndedWorkloads ended = EndedWorkloads.NONE;

    /** What is in force; set by the owner, read by anybody. */
    private volatile MeshView view = MeshView.NONE;

    private ControlPlane(ControlOptions options) throws IOException {
        this.options = options;
        this.pace = new RebuildPace(options.times().debounce());
        this.secrets =
                new SecretFolder(options.places().secrets(), options.users().proxy());
        PrivateFiles.directory(options.places().state(), ControlOptions.STATE_MARKS);
        Cidr serviceRange = Cidr.around("service range", options.ranges().services());
        Cidr workloadRange = Cidr.around("workload range", options.ranges().workloads());
        if (workloadRange.bits() > NodeLeases.PREFIX_LENGTH) {
            throw new IllegalArgumentException(
                    "workload range " + options.ranges().workloads() + ": expected room for a /"
                            + NodeLeases.PREFIX_LENGTH + " per node");
        }
        this.known = new KnownClients(new JsonStateFile(options.places().state().resolve("clients.json"), "clients"));
        this.addresses = ServiceAddresses.load(
                new JsonStateFile(options.places().state().resolve("service-addresses.json"), "service-addresses"),
                serviceRange);
        NodeLeases leases = NodeLeases.load(
                new JsonStateFile(options.places().state().resolve("node-leases.json"), "node-leases"), workloadRange);
        this.authority = MeshAuthority.open(options.authority(), InstantSource.system());
        NodeSigner signer = new AuthoritySigner(authority);
        this.certificate = new OwnCertificate(signer, Caller.TRUST_DOMAIN, InstantSource.system());
        this.nodes = new Nodes(
                owner, options.places().state(), signer, Caller.TRUST_DOMAIN, new Others(), InstantSource.system());
        this.damages = Stream.concat(Stream.of(addresses.trouble(), leases.trouble()), nodes.troubles().stream())
                .filter(trouble -> !trouble.isEmpty())
                .toList();
        this.registry = new WorkloadRegistry(owner, leases, options, new WorkloadRegistry.Listener() {
            @Override
            public void onChange() {
                registrationsChanged();
            }

            @Override
            public void whenInForce(Runnable callback) {
                registered.add(callback);
                if (!rebuildPlanned) {
                    tellRegistered();
                }
            }

            @Override
            public boolean admits(String node) {
                return nodes.admits(node);
            }

            @Override
            public void trusts(String node, Set<String> roots) {
                authority.trusts(node, roots);
            }

            @Override
            public boolean expectsNodes() {
                return door != null;
            }
        });
        this.directory =
                ConfigDirectory.open(ConfigDirectoryOptions.of(options.places().config())
                        .withLastGood(options.places().state().resolve("last-good.yaml")));
        this.config = directory.snapshot();
        parts.add(directory);
        try {
            this.metrics = new ControlMetrics(this, authority);
            MeshAuthority issuer = MeshAuthority.start(
                    authority, InstantSource.system(), new RegisteredHolders(owner, registry), metrics.certificates());
            parts.add(issuer);
            this.xds = XdsServer.start(
                    new XdsServerOptions(
                            options.places().xdsSocket(), options.users().readers(), refusals),
                    owner,
                    registry,
                    Optional.of(issuer));
            parts.add(xds);
            authority.addListener(() -> owner.offer(this::tellTrust));
            owner.execute(this::tellTrust);
        } catch (IOException | RuntimeException e) {
            close();
            throw e;
        }
    }

    /**
     * Starts the control plane.
     *
     * @throws IOException when a directory, port or socket cannot be used; the message says which
     */
    public static ControlPlane start(ControlOptions options) throws IOException {
        ControlPlane plane = new ControlPlane(options);
        try {
            plane.begin();
        } catch (IOException | RuntimeException e) {
            plane.close();
            throw e;
        }
        return plane;
    }

    private void begin() throws IOException {
        ControlHttp http = ControlHttp.start(options.ports().http(), this, metrics);
        httpPort = http.port();
        parts.add(http);
        parts.add(LocalApiServer.start(
                options.places().socket(), options.users().administrators(), refusals, new ControlApi(this)));
        owner.execute(() -> {
            xds.expect(known.load());
            keepRoster();
        });
        if (owner.call(nodes::areExpected)) {
            // A host that serves others and cannot must not seem to.
            ofNodes(() -> {
                new Others().open();
                return true;
            });
        }
        owner.schedule(options.times().grace(), () -> {
            graceOver = true;
            if (view.number() == 0) {
                LOG.log(System.Logger.Level.INFO, "nodes that did not come back: {0}", registry.awaited());
                rebuild();
            }
        });
        parts.add(directory.addListener(snapshot -> {
            config = snapshot;
            owner.offer(this::rebuildSoon);
        }));
        LOG.log(
                System.Logger.Level.INFO,
                "control plane: xDS on {0}, configuration from {1}",
                options.places().xdsSocket(),
                directory.directory());
    }

    /** The port of metrics and readiness. */
    public int httpPort() {
        return httpPort;
    }

    /** The options that it runs with. */
    public ControlOptions options() {
        return options;
    }

    /** True when it has sent, or would send, a first state. */
    public boolean isReady() {
        return view.number() > 0;
    }

    /** True when a Gateway has ports to serve; says nothing before it {@link #isReady is ready}. */
    public boolean servesEdge() {
        return view.state().listeners().containsKey(Listener.EDGE);
    }

    /** Has every node believe the roots that are in force, and nobody who is revoked. */
    private void tellTrust() {
        xds.trust(new Trust(authority.roots(), authority.crls()));
    }

    CertificateApi certificates() {
        return new CertificateApi(authority);
    }

    /** Has the next control plane expect the clients of this one. */
    private void keepRoster() {
        known.save(xds.roster());
        owner.offerLater(ROSTER, this::keepRoster);
    }

    /** What there is of the control plane for nodes on other hosts; on the owner thread. */
    private final class Others implements Nodes.Mesh {
        @Override
        public void open() throws IOException {
            if (door != null) {
                return;
            }
            int port = options.ports().node();
            try {
                door = xds.serveNodes(new InetSocketAddress(port), certificate, nodes);
            } catch (IOException e) {
                throw new IOException("port " + port + " for nodes cannot be opened: " + e.getMessage(), e);
            }
            LOG.log(System.Logger.Level.INFO, "nodes on other hosts are served at port {0}", port);
            registry.leases().forEach(xds::renew);
        }

        @Override
        public boolean isKnown(String node) {
            return registry.isKnown(node);
        }

        @Override
        public boolean isConnected(String node) {
            return registry.isConnected(node);
        }

        @Override
        public void forget(String node) {
            xds.drop(node);
            registry.forget(node);
        }
    }

    private void registrationsChanged() {
        metrics.triggered("registration");
        rebuildAfter(pace.pauseOfWhole(System.nanoTime()));
    }

    /** Files that change close together are one change. */
    private void rebuildSoon() {
        rebuildAfter(pace.pause(System.nanoTime()));
    }

    private void rebuildAfter(Duration pause) {
        if (!rebuildPlanned) {
            rebuildPlanned = true;
            owner.schedule(pause, () -> {
                if (rebuildPlanned) {
                    rebuild();
                }
            });
        }
    }

    private void tellRegistered() {
        if (registered.isEmpty() || view.number() == 0) {
            return;
        }
        List<Runnable> told = List.copyOf(registered);
        registered.clear();
        var _ = xds.awaitAnswers(view.number(), SLOW_CLIENTS).thenRun(() -> tell(told));
    }

    /** What one of them throws keeps the answer from none of the others. */
    static void tell(List<Runnable> waiting) {
        for (Runnable callback : waiting) {
            try {
                callback.run();
            } catch (RuntimeException e) {
                LOG.log(System.Logger.Level.ERROR, "a node is not told that its workload is in force", e);
            }
        }
    }

    /** Makes the state of what is known now and sends it; on the owner thread. Returns the snapshot's number. */
    private long rebuild() {
        rebuildPlanned = false;
        if (isEarly()) {
            return view.number();
        }
        long begun = System.nanoTime();
        ConfigSnapshot seen = config;
        try {
            Translation translation = Translator.translate(
                    seen,
                    registry.workloads(),
                    registry.remembered(),
                    registry.localities(),
                    addresses,
                    secrets.folder());
            addresses.save();
            keep(translation.secrets());
            ownProblems = List.of();
            if (view.number() == 0 || !translation.state().equals(view.state())) {
                ended = ended.after(view.state(), translation.state(), InstantSource.system());
                metrics.updated(xds.update(
                        translation.state(), number -> see(number, seen, translation.state(), translation.problems())));
            } else {
                see(view.number(), seen, view.state(), translation.problems());
            }
        } catch (IOException | RuntimeException | StackOverflowError | OutOfMemoryError e) {
            LOG.log(System.Logger.Level.ERROR, "the state cannot be made, the last one stays", e);
            ownProblems = List.of(trouble("the configuration cannot be put into force, the last state stays: " + e));
            see(view.number(), seen, view.state(), List.of());
        }
        pace.made(begun, System.nanoTime());
        tellRegistered();
        return view.number();
    }

    /** Has the files there before anybody is told of them. */
    private void keep(List<SecretFile> files) throws IOException {
        if (files.equals(secretFiles) && view.number() > 0) {
            return;
        }
        secrets.write(files);
        secretFiles = files;
        long change = ++secretChanges;
        owner.offerLater(SECRETS_KEPT, () -> {
            if (change != secretChanges) {
                // What the change after it replaced is kept as long, from then on.
                return;
            }
            try {
                secrets.sweep();
            } catch (IOException e) {
                LOG.log(System.Logger.Level.WARNING, "files of Secrets that are not used any more stay: " + e);
            }
        });
    }

    /** What everybody who asks is told from now on. */
    private void see(long number, ConfigSnapshot seen, MeshState state, List<Problem> translation) {
        view = new MeshView(number, seen, state, problems(seen, state, translation));
    }

    private List<Problem> problems(ConfigSnapshot seen, MeshState state, List<Problem> translation) {
        List<Problem> all = new ArrayList<>(seen.problems());
        all.addAll(translation);
        all.addAll(MeshChecks.check(seen, state));
        all.addAll(ownProblems);
        damages.forEach(damage -> all.add(trouble(damage)));
        xds.refused().forEach((resource, reason) -> all.add(trouble(resource + " cannot be sent: " + reason)));
        return all;
    }

    private static Problem trouble(String message) {
        return new Problem(Problem.Severity.ERROR, "", 0, 0, "", "", "", "", message);
    }

    LocalRefusals refusals() {
        return refusals;
    }

    MeshView view() {
        return view;
    }

    ConfigDirectory directory() {
        return directory;
    }

    ControlMetrics metrics() {
        return metrics;
    }

    Duration uptime() {
        return Duration.between(started, Instant.now());
    }

    List<XdsClientState> clients() {
        return owner.call(xds::clients);
    }

    XdsServerStats xdsStats() {
        return owner.call(xds::stats);
    }

    Map<String, String> nodes() {
        return owner.call(registry::nodes);
    }

    /** All nodes: those that are there, and those that have joined and are not. */
    List<NodeView> nodeViews() {
        return owner.call(() -> NodeView.of(registry, nodes.joined(), xds.stands(view.number())));
    }

    /** As {@link Nodes#createToken}. */
    Nodes.Issued createToken(String node, Duration life) throws IOException {
        return ofNodes(() -> nodes.createToken(node, life));
    }

    /** As {@link Nodes#remove}. */
    boolean removeNode(String node) throws IOException {
        return ofNodes(() -> nodes.remove(node));
    }

    /** What may fail to be kept. */
    private interface Kept<T> {
        T run() throws IOException;
    }

    /** On the owner thread. */
    private <T> T ofNodes(Kept<T> task) throws IOException {
        try {
            return owner.call(() -> {
                try {
                    return task.run();
                } catch (IOException e) {
                    throw new UncheckedIOException(e);
                }
            });
        } catch (UncheckedIOException e) {
            throw e.getCause();
        }
    }

    /**
     * Puts the configuration in force as it is now and waits for the clients to answer.
     *
     * @param before what was distributed before the configuration was changed
     * @param wait how long to wait at most; zero not to wait
     */
    Uptake putInForce(MeshState before, Duration wait) {
        long end = System.nanoTime() + wait.toNanos();
        Attempt attempt = owner.call(this::attempt);
        while (attempt.early() && System.nanoTime() < end) {
            LockSupport.parkNanos(LOOK.toNanos());
            attempt = owner.call(this::attempt);
        }
        MeshState after = view.state();
        if (!attempt.trouble().isEmpty() || wait.isZero()) {
            return new Uptake(attempt.trouble(), attempt.unsendable(), wait, List.of(), before, after);
        }
        long number = attempt.number();
        Duration left = Duration.ofNanos(Math.max(0, end - System.nanoTime()));
        CompletableFuture<List<ClientStand>> answers = owner.call(() -> xds.awaitAnswers(number, left));
        return new Uptake("", attempt.unsendable(), wait, answers.join(), before, after);
    }

    /**
     * A try to put the configuration in force.
     *
     * @param number the snapshot that holds it
     * @param early true when nothing is sent yet, as nodes that had workloads before a restart are waited for
     * @param trouble why it is not in force; empty when it is
     * @param unsendable what of it cannot be sent
     */
    private record Attempt(long number, boolean early, String trouble, Map<String, String> unsendable) {}

    private Attempt attempt() {
        config = directory.snapshot();
        long number = rebuild();
        boolean early = isEarly();
        String trouble = ownProblems.isEmpty() ? "" : ownProblems.getFirst().message();
        if (early) {
            trouble = "nothing is sent yet: the control plane has just started and waits for the nodes "
                    + String.join(", ", registry.awaited());
        }
        return new Attempt(number, early, trouble, xds.refused());
    }

    private boolean isEarly() {
        return !graceOver && !registry.awaited().isEmpty();
    }

    /** What there would be to say of a configuration with the workloads of now. */
    List<Problem> preview(ConfigSnapshot candidate) {
        return owner.call(() -> {
            Translation translation = Translator.translate(
                    candidate, registry.workloads(), registry.localities(), new NumberedVipAllocator());
            List<Problem> all = new ArrayList<>(translation.problems());
            all.addAll(MeshChecks.check(candidate, translation.state()));
            return all;
        });
    }

    /** Who has left lately. */
    EndedWorkloads ended() {
        return ended;
    }

    /** How each client stands to what is distributed. */
    List<ClientStand> stands() {
        return owner.call(() -> xds.stands(view.number()));
    }

    /** Waits on the owner thread for the clients to take a snapshot; completed there. */
    CompletableFuture<List<ClientStand>> awaitAnswers(long number, Duration wait) {
        return xds.awaitAnswers(number, wait);
    }

    @Override
    public void close() {
        for (AutoCloseable part : parts.reversed()) {
            closeQuietly(part);
        }
        parts.clear();
        owner.close();
    }

    private static void closeQuietly(@Nullable AutoCloseable part) {
        if (part == null) {
            return;
        }
        try {
            part.close();
        } catch (Exception e) {
            LOG.log(
                    System.Logger.Level.WARNING,
                    "could not close " + part.getClass().getSimpleName(),
                    e);
        }
    }
}
