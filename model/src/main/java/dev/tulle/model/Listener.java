package dev.tulle.model;

import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * What the proxy does with connections to one service address and port (LDS resource, outbound).
 *
 * @param name {@code address_port}, for example {@code 240.240.0.7_9080}
 * @param address the service address in text form
 * @param port the service port
 * @param hostname the service's host name, for logs and metrics
 * @param target what happens to its connections
 */
public record Listener(String name, String address, int port, String hostname, Target target) {
    /** The name of the one that the mesh's edge serves. */
    public static final String EDGE = "gateway";

    /** What happens to connections. */
    public sealed interface Target {
        /**
         * Requests, routed by the named route configuration.
         *
         * @param detect true when the port does not say what is spoken: what is not HTTP goes to the service as bytes
         * @param fallback where bytes go that are not HTTP; used only with {@code detect}
         * @param trustedHops how many proxies before the mesh's edge are believed what they say of those before them
         * @param http2 true when the port says that HTTP/2 is spoken: what is HTTP of no version is told so in HTTP/2
         */
        record Http(
                String routeConfiguration,
                boolean detect,
                List<WeightedCluster> fallback,
                int trustedHops,
                boolean http2)
                implements Target {
            public Http {
                fallback = List.copyOf(fallback);
                if (trustedHops < 0) {
                    throw new IllegalArgumentException(
                            "trusted hops of " + routeConfiguration + ": " + trustedHops + ", expected 0 or more");
                }
                if (detect && http2) {
                    throw new IllegalArgumentException(routeConfiguration
                            + ": a port that says that HTTP/2 is spoken, and one that does not say what is spoken");
                }
            }

            /** Nobody is believed. */
            public Http(String routeConfiguration, boolean detect, List<WeightedCluster> fallback) {
                this(routeConfiguration, detect, fallback, 0, false);
            }

            /** A port that does not say that HTTP/2 is spoken. */
            public Http(String routeConfiguration, boolean detect, List<WeightedCluster> fallback, int trustedHops) {
                this(routeConfiguration, detect, fallback, trustedHops, false);
            }
        }

        /** Opaque bytes, split over clusters by connection; without clusters, as at the edge, nobody is served. */
        record Tcp(List<WeightedCluster> clusters) implements Target {
            public Tcp {
                clusters = List.copyOf(clusters);
            }
        }

        /**
         * The ports of the mesh's edge, each with its own target.
         *
         * @param announced the ports at which every connection begins with a header of the PROXY protocol
         */
        record Edge(List<Chain> chains, Set<Integer> announced) implements Target {
            public Edge {
                chains = List.copyOf(chains);
                announced = Set.copyOf(announced);
                if (chains.isEmpty()) {
                    throw new IllegalArgumentException("a gateway without ports: expected at least one");
                }
            }

            /** No connection begins with a header. */
            public Edge(List<Chain> chains) {
                this(chains, Set.of());
            }

            /** The ports, each once. */
            public List<Integer> ports() {
                return chains.stream().map(Chain::port).distinct().toList();
            }
        }

        /**
         * What happens to connections to one port of the edge, or those of them that ask for some names.
         *
         * @param name unique among all chains
         * @param serverNames the names that callers of TLS ask for (SNI): host names and {@code *.suffix}; empty for all
         * @param tls the TLS that ends here; empty where none does
         * @param passes true when callers speak TLS with the target itself, and only the name that they ask for is read
         * @param target requests or bytes
         * @param origin the object that declares it
         */
        record Chain(
                String name,
                int port,
                List<String> serverNames,
                Optional<EdgeTls> tls,
                boolean passes,
                Target target,
                ResourceRef origin) {
            public Chain {
                serverNames = List.copyOf(serverNames);
                if (target instanceof Edge) {
                    throw new IllegalArgumentException("port " + port + " of a gateway: expected requests or bytes");
                }
                if (passes && (tls.isPresent() || !(target instanceof Tcp))) {
                    throw new IllegalArgumentException(
                            "port " + port + " of a gateway: expected bytes where TLS passes through");
                }
            }

            /** For a whole port of plain text, or for callers whose TLS ends here. */
            public Chain(
                    String name,
                    int port,
                    List<String> serverNames,
                    Optional<EdgeTls> tls,
                    Target target,
                    ResourceRef origin) {
                this(name, port, serverNames, tls, false, target, origin);
            }

            /** For a whole port of plain text. */
            public Chain(int port, Target target, ResourceRef origin) {
                this(EDGE + "_" + port, port, List.of(), Optional.empty(), target, origin);
            }

            /** For callers whose TLS passes through. */
            public static Chain passing(
                    String name, int port, List<String> serverNames, Tcp target, ResourceRef origin) {
                return new Chain(name, port, serverNames, Optional.empty(), true, target, origin);
            }

            /** True when the name that a caller asks for (SNI) is looked at before anything else. */
            public boolean isByName() {
                return passes || tls.isPresent();
            }

            /** What its connections have in the place of a listener of their own. */
            public Listener listener() {
                return new Listener(name, "0.0.0.0", port, "", target);
            }
        }
    }

    /** The name of the listener for an address and port. */
    public static String nameOf(String address, int port) {
        return address + "_" + port;
    }
}
