package dev.tulle.cli.role;

import dev.tulle.agent.MeshBusyException;
import dev.tulle.agent.MeshEnd;
import dev.tulle.agent.NodeAgent;
import dev.tulle.agent.host.Cgroups;
import dev.tulle.agent.join.Membership;
import dev.tulle.cli.client.CommandFailure;
import dev.tulle.cli.client.MeshPlace;
import dev.tulle.cli.client.PidFile;
import dev.tulle.cli.client.RunEvents;
import dev.tulle.cli.command.BaseCommand;
import dev.tulle.common.PrivateFiles;
import dev.tulle.control.ControlPlane;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.InstantSource;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/**
 * The mesh on one host: control plane and agent in this process, the proxy as its unprivileged child; on a host that has
 * joined another one's mesh the agent alone. The launcher stays as its supervisor. A regular end (SIGTERM) removes every trace when no workload runs, and otherwise leaves what the
 * workloads need; a crash leaves capture in force for the next process.
 */
@Command(name = "up", description = "Runs the mesh on this host until it is stopped: control plane, agent and proxy.")
public final class UpCommand extends BaseCommand {
    /** Tells the supervisor to try again: a start after a crash failed, which the first start did not. */
    static final int TRY_AGAIN = 75;

    /** Tells the supervisor to start the version that is installed now, at once. */
    static final int START_NEW = 76;

    private static final String ROLE = "control, agent";
    private static final Duration PROXY_READY = Duration.ofSeconds(30);

    @Mixin
    private final RoleOptions options = new RoleOptions();

    @Option(
            names = "--drain",
            paramLabel = "SECONDS",
            description = "How long connections may finish when the mesh stops. Default: ${DEFAULT-VALUE}.",
            defaultValue = "5")
    private int drainSeconds = 5;

    @Option(
            names = "--proxy-unit",
            paramLabel = "NAME",
            description =
                    "Start the proxy as an instance of this systemd template unit, instead of as a child. A unit of"
                            + " scripts/install; its user must be that of --proxy-uid.")
    private @Nullable String proxyUnit;

    @Mixin
    private final JoinOptions joining = new JoinOptions();

    @Option(names = "--finish-stop", hidden = true, description = "Do what a mesh killed while it stopped left undone.")
    private boolean finishStop;

    private Optional<Membership> joined = Optional.empty();

    /** Makes the command. */
    public UpCommand() {}

    @Override
    public Integer call() throws InterruptedException {
        Path run = options.runDirectory();
        Duration drain = Duration.ofSeconds(drainSeconds);
        String cause = System.getenv("TULLE_RESTART_CAUSE");
        options.check();
        Privilege.need("up");
        try {
            RunFolder.make(run, options.users());
            try (MeshLock _ = MeshLock.take(options)) {
                if (finishStop) {
                    ProxySupervisor.stop(run, drain);
                    return ended(NodeAgent.end(options.agent()), run);
                }
                Optional<String> conflict = NodeAgent.conflict(options.agent());
                if (conflict.isPresent()) {
                    throw new IOException(conflict.get());
                }
                joined = joining.membership(
                        options.stateDirectory(), options.agent().node());
                joined.ifPresent(options::become);
                AccessLogFile.prepare(options.accessLog(), options.proxyUid());
                return runAlone(run, drain, cause);
            }
        } catch (IOException e) {
            // Somebody else's mesh, or none at all: nothing of it is touched.
            throw new CommandFailure(CommandFailure.NO, messageOf(e));
        }
    }

    private int runAlone(Path run, Duration drain, @Nullable String cause) throws InterruptedException {
        RunEvents events = new RunEvents(run, InstantSource.system());
        try {
            return runMesh(run, drain, events, cause);
        } catch (MeshBusyException e) {
            throw new CommandFailure(CommandFailure.NO, messageOf(e));
        } catch (IOException e) {
            throw failed(run, events, cause, messageOf(e));
        } catch (LinkageError e) {
            // A library or class that is missing or does not fit.
            throw failed(run, events, cause, e.toString());
        }
    }

    /** Leaves behind what a regular end leaves, unless there is another try. */
    private CommandFailure failed(Path run, RunEvents events, @Nullable String cause, String why) {
        if (cause != null) {
            // Capture stays in force for the next try.
            events.add(ROLE, "could not start again: " + why);
            return new CommandFailure(TRY_AGAIN, why);
        }
        List<String> notes =
                switch (NodeAgent.end(options.agent())) {
                    case MeshEnd.Removed removed -> removed.troubles();
                    case MeshEnd.Suspended suspended -> StopReport.suspended(suspended, meshOptions());
                };
        RunFolder.clear(run);
        return new CommandFailure(CommandFailure.NO, why, notes);
    }

    private static String messageOf(IOException e) {
        return e.getMessage() == null ? e.toString() : e.getMessage();
    }

    private int runMesh(Path run, Duration drain, RunEvents events, @Nullable String cause)
            throws IOException, InterruptedException {
        long begun = System.nanoTime();
        RunFolder.begin(run);
        RunFolder.makeHandOver(run, options.users());
        PidFile.write(run, "up", ProcessHandle.current().pid());
        events.add(ROLE, cause == null ? "started" : "started again: " + cause);
        StopSignal stop = StopSignal.install();
        MeshEnd end;
        try (ControlPlane plane = joined.isPresent() ? null : ControlPlane.start(options.control());
                NodeAgent agent = NodeAgent.start(options.agent())) {
            Path group = Cgroups.find().directory(options.agent().meshGroup() + "/proxy");
            ProxySupervisor proxy = ProxySupervisor.start(
                    ProxySupervisor.NODE, launch(group, run), run, RoleOptions.build(), drain, events);
            try (proxy;
                    GatewayChild gateway = GatewayChild.start(
                            plane == null ? GatewayChild.Edge.NONE : GatewayChild.Edge.of(plane),
                            gateway(group),
                            run,
                            drain,
                            events);
                    UpgradeApi upgrades = UpgradeApi.start(run.resolve(RunFolder.UP_SOCKET), proxy, gateway, stop)) {
                awaitProxy(stop);
                PrivateFiles.replace(
                        run.resolve(RunFolder.READY),
                        Long.toString(ProcessHandle.current().pid()));
                if (!stop.requested()) {
                    long took = Duration.ofNanos(System.nanoTime() - begun).toMillis();
                    out().println("tulle up: ready in " + took + " ms, tier "
                            + agent.tier().word() + ", "
                            + joined.map(Membership::toString)
                                    .orElse("configuration in "
                                            + options.control().places().config()));
                    out().flush();
                }
                var _ = agent.detached().thenRun(stop::request);
                stop.await();
                Files.deleteIfExists(run.resolve(RunFolder.READY));
                if (upgrades.startsNew()) {
                    // Capture, the proxy and its connections stay as they are for the process that follows.
                    events.add(ROLE, "ended for another version");
                    proxy.leave();
                    gateway.leave();
                    upgrades.close();
                    return START_NEW;
                }
            }
            agent.close();
            end = NodeAgent.end(options.agent());
        }
        return ended(end, run);
    }

    private int ended(MeshEnd end, Path run) {
        RunFolder.clear(run);
        if (end instanceof MeshEnd.Suspended suspended) {
            StopReport.suspended(suspended, meshOptions()).forEach(line -> out().println("tulle up: " + line));
            out().flush();
        }
        if (end.troubles().isEmpty()) {
            return 0;
        }
        throw new CommandFailure(
                CommandFailure.NO,
                end instanceof MeshEnd.Removed ? "not everything could be removed:" : "not everything could be done:",
                end.troubles());
    }

    /** The options that name this mesh to `tulle detach`. */
    private String meshOptions() {
        return " --mesh " + options.place().mesh() + " --run-dir " + options.runDirectory() + " --state "
                + options.stateDirectory();
    }

    /** The gateway is a child of this process also where the proxy is a unit of systemd. */
    private ProxySupervisor.Launch gateway(Path group) {
        ProxyCommandLine line = proxyCommand(ProxySupervisor.GATEWAY, group);
        return () -> ProxyProcess.child(line.build());
    }

    private ProxySupervisor.Launch launch(Path group, Path run) {
        ProxyCommandLine line = proxyCommand(ProxySupervisor.NODE, group);
        if (proxyUnit == null) {
            return () -> ProxyProcess.child(line.build());
        }
        ProxyUnit unit = new ProxyUnit(proxyUnit, group, run);
        return () -> unit.start(line.program());
    }

    private ProxyCommandLine proxyCommand(String role, Path proxyGroup) {
        Path distribution = RoleOptions.distribution();
        return ProxyCommandLine.of(
                role,
                distribution,
                options.proxyArguments(drainSeconds),
                proxyGroup,
                options.runDirectory().resolve("mounts"),
                options.users());
    }

    /**
     * The mesh is ready when its own proxy says so, at a socket that nobody else can make: it has its listeners and has
     * heard from the control plane. Then its port for readiness has to say so as well.
     */
    private void awaitProxy(StopSignal stop) throws IOException, InterruptedException {
        long end = System.nanoTime() + PROXY_READY.toNanos();
        Path proxy = options.runDirectory().resolve(RunFolder.HAND_OVER).resolve(MeshPlace.ADMIN_SOCKET);
        while (!(Readiness.says(proxy) && Readiness.answers(options.port(15021))) && !stop.requested()) {
            if (System.nanoTime() > end) {
                throw new IOException("the proxy is not ready after " + PROXY_READY.toSeconds() + " s");
            }
            Thread.sleep(5);
        }
    }
}
