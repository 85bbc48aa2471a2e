package dev.tulle.proxy;

import dev.tulle.common.Cidr;
import dev.tulle.model.Http2Options;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * How a node proxy runs. Ports: -1 leaves a listener out, 0 takes any free port.
 *
 * @param role what it serves
 * @param nodeId the node's name, the same in all roles of one host
 * @param xdsSocket the control plane's socket
 * @param nodeSocket the agent's socket for the proxy; null without an agent: then nothing is published, and
 *     clients have no name
 * @param workers event loops; 0 for one per processor
 * @param outboundAddresses where captured connections arrive
 * @param outboundPort where captured connections arrive
 * @param range the workloads' addresses: what is said of one of them is waited for
 * @param explicitAddress where the explicit proxy listens
 * @param explicitPort where the explicit proxy listens; with an agent only when that says so
 * @param adminSocket where administrators ask; null: nowhere
 * @param adminGroup the group whose members may, beside root; empty for none
 * @param sdsSocket where the agent gives certificates; null: there are no tunnels to other nodes
 * @param inboundAddresses where other nodes make tunnels
 * @param inboundPort where other nodes make tunnels
 * @param probeAddress where readiness and metrics are
 * @param readinessPort {@code /healthz/ready}
 * @param metricsPort {@code /stats/prometheus} and {@code /metrics}
 * @param outboundPolicy what happens to destinations outside the mesh
 * @param accessLog a file, {@code -} for the standard output, empty for none
 * @param accessLogMode which requests are logged
 * @param onDemandTimeout how long a connection waits for its service's configuration
 * @param idleExpiry how long an unused service is followed
 * @param drain how long requests in flight may take when the proxy ends
 * @param edgeHttp2 how connections of HTTP/2 from outside are kept
 * @param handOver the directory through which a next process takes over, in which only this user may write; null: none
 * @param handOverIdle how long idle HTTP connections are still served after another process took over
 * @param handOverStreams how long opaque streams and long transfers may go on after another process took over
 */
public record ProxyOptions(
        Role role,
        String nodeId,
        Path xdsSocket,
        @Nullable Path nodeSocket,
        int workers,
        List<String> outboundAddresses,
        int outboundPort,
        Cidr range,
        String explicitAddress,
        int explicitPort,
        @Nullable Path adminSocket,
        String adminGroup,
        @Nullable Path sdsSocket,
        List<String> inboundAddresses,
        int inboundPort,
        String probeAddress,
        int readinessPort,
        int metricsPort,
        OutboundPolicy outboundPolicy,
        String accessLog,
        AccessLogMode accessLogMode,
        Duration onDemandTimeout,
        Duration idleExpiry,
        Duration drain,
        Http2Options edgeHttp2,
        @Nullable Path handOver,
        Duration handOverIdle,
        Duration handOverStreams) {
    /** What a proxy serves. */
    public enum Role {
        /** The workloads of a node: captured connections, published ports, the explicit port. */
        NODE("proxy"),
        /** The edge of the mesh: the ports of Gateways, and nothing else. */
        GATEWAY("gateway");

        private final String word;

        Role(String word) {
            this.word = word;
        }

        /** What the control plane is told. */
        public String word() {
            return word;
        }
    }

    /** What happens to captured connections whose destination is no service of the mesh. */
    public enum OutboundPolicy {
        /** They are passed through. */
        ALLOW_ANY,
        /** They are closed. */
        REGISTRY_ONLY
    }

    /** Which requests are logged. */
    public enum AccessLogMode {
        /** Those that were refused, failed, or answered with a status of 400 and more. */
        FAILURES,
        /** All. */
        ALL
    }

    public ProxyOptions {
        outboundAddresses = List.copyOf(outboundAddresses);
        inboundAddresses = List.copyOf(inboundAddresses);
        if (workers < 0) {
            throw new IllegalArgumentException("workers: " + workers + ", expected 0 or more");
        }
    }

    /** The defaults, to be changed one by one. */
    public static Builder builder() {
        return new Builder();
    }

    /** The loops to run. */
    int loops() {
        return workers > 0 ? workers : Runtime.getRuntime().availableProcessors();
    }

    /** Collects options; each starts with its default. */
    public static final class Builder {
        private Role role = Role.NODE;
        private String nodeId = "node";
        private Path xdsSocket = Path.of("/run/tulle/xds.sock");
        private @Nullable Path nodeSocket;
        private int workers;
        private List<String> outboundAddresses = List.of("127.0.0.1", "::1");
        private int outboundPort = 15001;
        private Cidr range = Cidr.of("workload range", "100.64.0.0/10");
        private String explicitAddress = "127.0.0.1";
        private int explicitPort = 15080;
        private @Nullable Path adminSocket;
        private String adminGroup = "";
        private @Nullable Path sdsSocket;
        private List<String> inboundAddresses = List.of("0.0.0.0", "::");
        private int inboundPort = -1;
        private String probeAddress = "127.0.0.1";
        private int readinessPort = 15021;
        private int metricsPort = 15090;
        private OutboundPolicy outboundPolicy = OutboundPolicy.ALLOW_ANY;
        private String accessLog = "";
        private AccessLogMode accessLogMode = AccessLogMode.FAILURES;
        private Duration onDemandTimeout = Duration.ofSeconds(5);
        private Duration idleExpiry = Duration.ofMinutes(5);
        private Duration drain = Duration.ofSeconds(30);
        private Http2Options edgeHttp2 = new Http2Options(0, Duration.ofSeconds(60), Duration.ofSeconds(20));
        private @Nullable Path handOver;
        private Duration handOverIdle = Duration.ofSeconds(45);
        private Duration handOverStreams = Duration.ofHours(1);

        private Builder() {}

        /** What it serves; default the node. */
        public Builder role(Role value) {
            role = value;
            return this;
        }

        /** The node's name; default {@code node}. */
        public Builder nodeId(String value) {
            nodeId = value;
            return this;
        }

        /** The control plane; default {@code /run/tulle/xds.sock}. */
        public Builder xds(Path socket) {
            xdsSocket = socket;
            return this;
        }

        /** The agent's socket; default none. */
        public Builder nodeSocket(@Nullable Path value) {
            nodeSocket = value;
            return this;
        }

        /** Event loops; default 0, one per processor. */
        public Builder workers(int value) {
            workers = value;
            return this;
        }

        /** Where captured connections arrive; default 127.0.0.1 and ::1, 15001. */
        public Builder outbound(List<String> addresses, int port) {
            outboundAddresses = addresses;
            outboundPort = port;
            return this;
        }

        /** The workloads' addresses; default 100.64.0.0/10. */
        public Builder range(Cidr value) {
            range = value;
            return this;
        }

        /** The explicit proxy; default 127.0.0.1:15080. */
        public Builder explicit(String address, int port) {
            explicitAddress = address;
            explicitPort = port;
            return this;
        }

        /** Where administrators ask, and their group beside root; default nowhere. */
        public Builder admin(@Nullable Path socket, String group) {
            adminSocket = socket;
            adminGroup = group;
            return this;
        }

        /** Where the agent gives certificates; default nowhere. */
        public Builder sds(@Nullable Path socket) {
            sdsSocket = socket;
            return this;
        }

        /** Where other nodes make tunnels; default nowhere. */
        public Builder inbound(List<String> addresses, int port) {
            inboundAddresses = addresses;
            inboundPort = port;
            return this;
        }

        /** Readiness and metrics; default 127.0.0.1, 15021 and 15090. */
        public Builder probes(String address, int readiness, int metrics) {
            probeAddress = address;
            readinessPort = readiness;
            metricsPort = metrics;
            return this;
        }

        /** Destinations outside the mesh; default ALLOW_ANY. */
        public Builder outboundPolicy(OutboundPolicy value) {
            outboundPolicy = value;
            return this;
        }

        /** The access log; default none. */
        public Builder accessLog(String target, AccessLogMode mode) {
            accessLog = target;
            accessLogMode = mode;
            return this;
        }

        /** How long a connection waits for its service's configuration; default 5 s. */
        public Builder onDemandTimeout(Duration value) {
            onDemandTimeout = value;
            return this;
        }

        /** How long an unused service is followed; default 5 minutes. */
        public Builder idleExpiry(Duration value) {
            idleExpiry = value;
            return this;
        }

        /** How long requests in flight may take when the proxy ends; default 30 s. */
        public Builder drain(Duration value) {
            drain = value;
            return this;
        }

        /** Signs of life of clients from outside that speak HTTP/2; default after 60 s of silence, within 20 s. */
        public Builder edgeHttp2(Http2Options value) {
            edgeHttp2 = value;
            return this;
        }

        /** Where a next process takes over; default none. */
        public Builder handOver(@Nullable Path directory) {
            handOver = directory;
            return this;
        }

        /** What connections have after another process took over; default 45 s when idle, 1 h for streams. */
        public Builder handOverTimes(Duration idle, Duration streams) {
            handOverIdle = idle;
            handOverStreams = streams;
            return this;
        }

        /** The options. */
        public ProxyOptions build() {
            return new ProxyOptions(
                    role,
                    nodeId,
                    xdsSocket,
                    nodeSocket,
                    workers,
                    outboundAddresses,
                    outboundPort,
                    range,
                    explicitAddress,
                    explicitPort,
                    adminSocket,
                    adminGroup,
                    sdsSocket,
                    inboundAddresses,
                    inboundPort,
                    probeAddress,
                    readinessPort,
                    metricsPort,
                    outboundPolicy,
                    accessLog,
                    accessLogMode,
                    onDemandTimeout,
                    idleExpiry,
                    drain,
                    edgeHttp2,
                    handOver,
                    handOverIdle,
                    handOverStreams);
        }
    }
}
