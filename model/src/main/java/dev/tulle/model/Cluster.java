package dev.tulle.model;

import java.time.Duration;
import java.util.Optional;

/**
 * A named set of endpoints plus how to reach and balance them (CDS resource).
 *
 * @param name {@code outbound|port|subset|hostname}
 * @param hostname the service's host name
 * @param port the service port
 * @param subset the subset's name, empty for all endpoints
 * @param balancing how an endpoint is chosen
 * @param connectTimeout bound on one connect
 * @param maxConnections per proxy; 0 means no bound
 * @param maxPendingRequests waiting for a connection; 0 means no bound
 * @param maxRequestsPerConnection 0 means no bound
 * @param idleTimeout idle pooled connections are closed after this
 * @param protocol what its endpoints are spoken to in, where requests are sent
 * @param http2 how that is done where it is HTTP/2
 * @param tls to its endpoints; empty for none
 * @param proxyProtocol how its endpoints are told for whom a connection is made
 * @param origin the object that shaped it
 */
public record Cluster(
        String name,
        String hostname,
        int port,
        String subset,
        Balancing balancing,
        Duration connectTimeout,
        int maxConnections,
        int maxPendingRequests,
        int maxRequestsPerConnection,
        Duration idleTimeout,
        Protocol protocol,
        Http2Options http2,
        Optional<UpstreamTls> tls,
        ProxyProtocol proxyProtocol,
        ResourceRef origin) {
    /** Default bound on one connect. */
    public static final Duration DEFAULT_CONNECT_TIMEOUT = Duration.ofSeconds(10);

    /** Default idle time of pooled connections. */
    public static final Duration DEFAULT_IDLE_TIMEOUT = Duration.ofHours(1);

    /** Without options for HTTP/2 and a header of the PROXY protocol. */
    public Cluster(
            String name,
            String hostname,
            int port,
            String subset,
            Balancing balancing,
            Duration connectTimeout,
            int maxConnections,
            int maxPendingRequests,
            int maxRequestsPerConnection,
            Duration idleTimeout,
            Protocol protocol,
            Optional<UpstreamTls> tls,
            ResourceRef origin) {
        this(
                name,
                hostname,
                port,
                subset,
                balancing,
                connectTimeout,
                maxConnections,
                maxPendingRequests,
                maxRequestsPerConnection,
                idleTimeout,
                protocol,
                Http2Options.NONE,
                tls,
                ProxyProtocol.NONE,
                origin);
    }

    /** The same without TLS. */
    public Cluster(
            String name,
            String hostname,
            int port,
            String subset,
            Balancing balancing,
            Duration connectTimeout,
            int maxConnections,
            int maxPendingRequests,
            int maxRequestsPerConnection,
            Duration idleTimeout,
            Protocol protocol,
            ResourceRef origin) {
        this(
                name,
                hostname,
                port,
                subset,
                balancing,
                connectTimeout,
                maxConnections,
                maxPendingRequests,
                maxRequestsPerConnection,
                idleTimeout,
                protocol,
                Optional.empty(),
                origin);
    }

    /** The version of the PROXY protocol that connections begin with. */
    public enum ProxyProtocol {
        NONE,
        V1,
        V2
    }

    /** What endpoints are spoken to in. */
    public enum Protocol {
        HTTP1,
        /** By prior knowledge. */
        HTTP2,
        /** Whichever version the client speaks. */
        AS_CLIENT
    }

    /** How an endpoint is chosen. */
    public enum Balancing {
        LEAST_REQUEST,
        ROUND_ROBIN,
        RANDOM,
        /** The same caller gets the same endpoint, by its address ({@link Maglev}). */
        SOURCE_HASH,
        /** To the original destination. */
        PASSTHROUGH
    }

    private static final String INBOUND = "inbound|";

    /** The name of the cluster of a workload's own port, at its node, as Istio writes it. */
    public static String inboundNameOf(int port) {
        return INBOUND + port + "||";
    }

    /** True for that of a workload's own port, at its node: who calls has come from elsewhere. */
    public boolean isInbound() {
        // A published port's says whose it is.
        return name.startsWith(INBOUND) && name.endsWith("||");
    }

    /** The name of the cluster of a service port and subset, as Istio writes it. */
    public static String nameOf(int port, String subset, String hostname) {
        return "outbound|" + port + "|" + subset + "|" + hostname;
    }
}
