package dev.tulle.cli.role;

import dev.tulle.agent.AgentOptions;
import dev.tulle.agent.datapath.KernelDatapath.OutboundPolicy;
import dev.tulle.agent.host.NodeAddress;
import dev.tulle.agent.join.LiveMembership;
import dev.tulle.agent.join.Membership;
import dev.tulle.agent.join.MembershipFile;
import dev.tulle.agent.tier.Tier;
import dev.tulle.cli.client.CommandFailure;
import dev.tulle.cli.client.MeshPlace;
import dev.tulle.common.LocalUsers;
import dev.tulle.common.SocketAccess;
import dev.tulle.control.ControlOptions;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.InstantSource;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** How a mesh runs on this host: the same options for every role, so that roles started alone fit together. A mixin. */
public final class RoleOptions {
    /** The highest offset with which every port of the mesh is still a port. */
    private static final int MAX_OFFSET = 65535 - 15091;

    /** A node's part of the workload range. */
    private static final int NODE_BITS = 24;

    /** A user that no distribution gives to anybody: nothing else on the host runs as it or owns files by it. */
    private static final int PROXY_UID = 15001;

    @Mixin
    private final MeshPlace place = new MeshPlace();

    @Mixin
    private final AuthorityFlags authority = new AuthorityFlags();

    @Option(
            names = "--state",
            paramLabel = "DIR",
            description = "What survives a restart: addresses, leases, configuration. Default: /var/lib/MESH.")
    private @Nullable Path state;

    @Option(names = "--config", paramLabel = "DIR", description = "The directory of manifests. Default: STATE/config.")
    private @Nullable Path config;

    @Option(
            names = "--tier",
            paramLabel = "TIER",
            description =
                    "splice, redirect, nftables or explicit, and no other. Default: the best that passes its test.")
    private @Nullable String tier;

    @Option(names = "--node", paramLabel = "NAME", description = "This node's name. Default: the host's.")
    private @Nullable String node;

    @Option(
            names = "--locality",
            paramLabel = "REGION/ZONE/SUBZONE",
            description = "Where this node is: zone and subzone may be left out. Default: not known.")
    private String locality = "";

    @Option(
            names = "--range",
            paramLabel = "CIDR",
            description =
                    "Workloads' addresses. Default: 100.64.0.0/10, for another --mesh or --port-offset a part of it.")
    private @Nullable String range;

    @Option(
            names = "--service-range",
            paramLabel = "CIDR",
            description = "Services' virtual addresses. Default: 240.240.0.0/16, for another mesh one of its own.")
    private @Nullable String serviceRange;

    @Option(
            names = "--port-offset",
            paramLabel = "N",
            description = "Added to every port of the mesh, for several meshes side by side. Default: 0.")
    private int portOffset;

    @Option(
            names = "--outbound-policy",
            paramLabel = "POLICY",
            description = "What workloads may call outside the mesh: allow-any (default) or registry-only.")
    private String outboundPolicy = "allow-any";

    @Option(
            names = "--kernel-http",
            paramLabel = "on|off",
            description = "Whether the kernel forwards requests by itself where it can. Default: ${DEFAULT-VALUE}.",
            defaultValue = "on")
    private String kernelHttp = "on";

    @Option(
            names = "--http-sample",
            paramLabel = "N",
            description =
                    "Of the requests that the kernel forwards one in N is reported, to the access log too; 1: all,"
                            + " 0: none. Default: ${DEFAULT-VALUE}.",
            defaultValue = "1000")
    private int httpSample = 1_000;

    @Option(
            names = "--proxy-uid",
            paramLabel = "UID",
            description = "The user and group the proxy runs as. Default: ${DEFAULT-VALUE}.",
            defaultValue = "" + PROXY_UID)
    private int proxyUid = PROXY_UID;

    @Option(
            names = "--group",
            paramLabel = "NAME",
            description = "The group whose members administer the mesh, beside root; '' for root alone. Default:"
                    + " tulle, if the host has that group.")
    private @Nullable String group;

    @Option(
            names = "--access-log",
            paramLabel = "FILE|-",
            description = "Where the proxy writes a line for each request: a file that its user may write, or - for"
                    + " standard output. The agent writes lines of the same form of sampled requests that the kernel"
                    + " forwards: into FILE.kernel, or to standard output. Default: nowhere.")
    private String accessLog = "";

    @Option(
            names = "--upgrade-idle",
            paramLabel = "SECONDS",
            description = "How long a proxy that another one replaced still serves idle HTTP connections. Default:"
                    + " ${DEFAULT-VALUE}.",
            defaultValue = "45")
    private int upgradeIdleSeconds = 45;

    @Option(
            names = "--upgrade-streams",
            paramLabel = "SECONDS",
            description = "How long opaque TCP streams and long transfers may go on in it. Default: ${DEFAULT-VALUE}.",
            defaultValue = "3600")
    private int upgradeStreamSeconds = 3600;

    @Option(names = "--kernel-object", hidden = true, description = "Other compiled kernel programs, for tests.")
    private @Nullable Path kernelObject;

    @Option(
            names = "--node-address",
            paramLabel = "ADDRESS",
            description =
                    "Where other hosts of the mesh reach this one. Default: the address with which it reaches them,"
                            + " else that of its default route.")
    private @Nullable String nodeAddress;

    /** What this host has joined; null for a mesh of its own. */
    private @Nullable LiveMembership membership;

    /** This host is a node of a mesh whose control plane is elsewhere. */
    void become(Membership joined) {
        membership = new LiveMembership(joined, new MembershipFile(stateDirectory()), InstantSource.system());
        node = joined.node();
    }

    /** How long a replaced proxy serves idle HTTP connections. */
    Duration upgradeIdle() {
        return Duration.ofSeconds(upgradeIdleSeconds);
    }

    /** How long streams may go on in a replaced proxy. */
    Duration upgradeStreams() {
        return Duration.ofSeconds(upgradeStreamSeconds);
    }

    /** Names what this process runs from: another build has another name. */
    static String build() {
        Path libraries = distribution().resolve("lib");
        try (Stream<Path> jars = Files.list(libraries)) {
            StringBuilder names = new StringBuilder();
            for (Path jar : jars.sorted().toList()) {
                names.append(jar.getFileName())
                        .append(' ')
                        .append(Files.size(jar))
                        .append(' ')
                        .append(Files.getLastModifiedTime(jar).toMillis())
                        .append('\n');
            }
            return names.toString();
        } catch (IOException e) {
            return "unknown: " + e.getMessage();
        }
    }

    /** Which mesh. */
    public MeshPlace place() {
        return place;
    }

    /** Where sockets, pid files and events are. */
    Path runDirectory() {
        return place.runDirectory();
    }

    /** The user of the proxy. */
    int proxyUid() {
        return proxyUid;
    }

    /** The users that the mesh's sockets are for. */
    LocalUsers users() {
        if (group == null) {
            return LocalUsers.ofHost(proxyUid);
        }
        if (!group.isEmpty() && !SocketAccess.hasGroup(group)) {
            throw new CommandFailure(CommandFailure.USAGE, "--group: '" + group + "'; expected a group of this host");
        }
        return new LocalUsers(proxyUid, group);
    }

    /** One of the mesh's ports, by Istio's number. */
    int port(int number) {
        if (portOffset < 0 || portOffset > MAX_OFFSET) {
            throw new CommandFailure(
                    CommandFailure.USAGE, "--port-offset: " + portOffset + "; expected 0 to " + MAX_OFFSET);
        }
        return number + portOffset;
    }

    /** The offset as it was given. */
    int portOffset() {
        return portOffset;
    }

    Path stateDirectory() {
        return state != null ? state.toAbsolutePath() : Path.of("/var/lib", place.mesh());
    }

    /** The folder of jars, archives and kernel programs; the launcher names it. */
    static Path distribution() {
        return Path.of(System.getProperty("tulle.home", "target/dist")).toAbsolutePath();
    }

    /** The control plane's part. */
    ControlOptions control() {
        ControlOptions options = ControlOptions.of(stateDirectory(), place.controlSocket())
                .withHttpPort(port(15014))
                .withNodePort(port(15012))
                .withUsers(users())
                .withAuthority(authority.options(stateDirectory()))
                .withRanges(ranges().workloads(), ranges().services());
        return config == null ? options : options.withConfigDirectory(config.toAbsolutePath());
    }

    /** The mesh's addresses: as given, else those of its name. */
    MeshRanges ranges() {
        return MeshRanges.of(place.mesh(), portOffset, range, serviceRange);
    }

    /**
     * Says what is wrong with the options before anything is done with them.
     *
     * @throws CommandFailure with status 2
     */
    void check() {
        port(0);
        authority.options(stateDirectory());
        AgentOptions agent = agent();
        if (agent.range().bits() > NODE_BITS) {
            throw new CommandFailure(
                    CommandFailure.USAGE,
                    "--range: " + agent.range() + " has no room for a node's part; expected a /" + NODE_BITS
                            + " or larger");
        }
        if (agent.range().contains(agent.serviceRange()) || agent.serviceRange().contains(agent.range())) {
            throw new CommandFailure(
                    CommandFailure.USAGE,
                    "--service-range: " + agent.serviceRange() + " overlaps --range " + agent.range());
        }
    }

    /** The agent's part. */
    AgentOptions agent() {
        AgentOptions.Builder builder = AgentOptions.builder()
                .meshName(place.mesh())
                .runDirectory(runDirectory())
                .stateDirectory(stateDirectory())
                .pinDirectory(Path.of("/sys/fs/bpf", place.mesh()))
                .bpfObject(
                        kernelObject == null
                                ? distribution().resolve("bpf/tulle.bpf.o")
                                : kernelObject.toAbsolutePath())
                .tunnelPort(port(15008))
                .outboundPort(port(15001))
                .dnsPort(port(15053))
                .explicitPort(port(15080))
                .metricsPort(port(15020))
                .proxyMetricsPort(port(15090))
                .otherPorts(port(15014), port(15021))
                .tier(forcedTier())
                .users(users())
                .outboundPolicy(policy())
                .kernelHttp(kernelHttp())
                .httpSample(httpSample)
                .life(Optional.ofNullable(System.getenv("TULLE_LIFE")).map(Path::of))
                .accessLog(accessLog.isEmpty() || accessLog.equals("-") ? accessLog : accessLog + ".kernel");
        if (node != null) {
            builder.node(node);
        }
        LiveMembership joined = membership;
        builder.membership(Optional.ofNullable(joined))
                .nodeAddress(
                        nodeAddress != null
                                ? nodeAddress
                                : NodeAddress.toward(
                                        joined == null ? "" : joined.now().host()));
        try {
            MeshRanges ranges = ranges();
            builder.range6(ranges.twin("fd74:756c:6c65"), ranges.twin("fd74:756c:6c66"));
            return builder.locality(locality)
                    .range(ranges.workloads())
                    .serviceRange(ranges.services())
                    .build();
        } catch (IllegalArgumentException e) {
            throw new CommandFailure(CommandFailure.USAGE, e.getMessage() == null ? e.toString() : e.getMessage());
        }
    }

    private Optional<Tier> forcedTier() {
        if (tier == null) {
            return Optional.empty();
        }
        for (Tier one : Tier.values()) {
            if (one.word().equals(tier)) {
                return Optional.of(one);
            }
        }
        throw new CommandFailure(
                CommandFailure.USAGE,
                "--tier: '" + tier + "'; expected "
                        + Arrays.stream(Tier.values()).map(Tier::word).collect(Collectors.joining(", ")));
    }

    private boolean kernelHttp() {
        return switch (kernelHttp.toLowerCase(Locale.ROOT)) {
            case "on" -> true;
            case "off" -> false;
            default ->
                throw new CommandFailure(
                        CommandFailure.USAGE, "--kernel-http: '" + kernelHttp + "'; expected on or off");
        };
    }

    private OutboundPolicy policy() {
        return switch (outboundPolicy.toLowerCase(Locale.ROOT)) {
            case "allow-any" -> OutboundPolicy.ALLOW_ANY;
            case "registry-only" -> OutboundPolicy.REGISTRY_ONLY;
            default ->
                throw new CommandFailure(
                        CommandFailure.USAGE,
                        "--outbound-policy: '" + outboundPolicy + "'; expected allow-any or registry-only");
        };
    }

    /** Whether workloads may call what is not in the mesh. */
    boolean allowsAny() {
        return policy() == OutboundPolicy.ALLOW_ANY;
    }

    /** Where the proxy writes its access log; empty for nowhere. */
    String accessLog() {
        return accessLog;
    }

    /** The arguments that make a `tulle proxy` of this mesh. */
    List<String> proxyArguments(int drainSeconds) {
        return List.of(
                "--mesh",
                place.mesh(),
                "--run-dir",
                runDirectory().toString(),
                "--node",
                agent().node(),
                "--port-offset",
                Integer.toString(portOffset),
                "--range",
                ranges().workloads(),
                "--service-range",
                ranges().services(),
                "--outbound-policy",
                outboundPolicy,
                "--access-log",
                accessLog,
                "--group",
                users().group(),
                "--drain",
                Integer.toString(drainSeconds),
                "--upgrade-idle",
                Integer.toString(upgradeIdleSeconds),
                "--upgrade-streams",
                Integer.toString(upgradeStreamSeconds));
    }
}
