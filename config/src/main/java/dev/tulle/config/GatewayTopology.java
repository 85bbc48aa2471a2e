package dev.tulle.config;

import java.util.Map;
import java.util.Optional;

/**
 * What is said to stand before a gateway: {@code gatewayTopology} of the annotation that Istio reads at a gateway's pod.
 * Tulle's has none, so it stands at the Gateway.
 *
 * @param trustedHops how many proxies before it are believed what they say of those before them
 * @param announced true when every connection begins with a header of the PROXY protocol
 * @param position where it is written
 */
record GatewayTopology(int trustedHops, boolean announced, Optional<Position> position) {
    static final String ANNOTATION = "proxy.istio.io/config";

    /** Nothing stands before it. */
    static final GatewayTopology NONE = new GatewayTopology(0, false, Optional.empty());

    /** Whether certificates of callers are dropped, the only use of them that is honoured. */
    private static final Map<String, Boolean> CERTIFICATES = Map.of(
            "UNDEFINED", true,
            "SANITIZE", true,
            "FORWARD_ONLY", false,
            "APPEND_FORWARD", false,
            "SANITIZE_SET", false,
            "ALWAYS_FORWARD_ONLY", false);

    /** That of a document. */
    static GatewayTopology of(Fields document) {
        return AnnotationText.of(document)
                .filter(annotations -> annotations.has(ANNOTATION))
                .flatMap(GatewayTopology::decode)
                .orElse(NONE);
    }

    private static Optional<GatewayTopology> decode(Fields annotations) {
        Position at = annotations.position(ANNOTATION);
        return AnnotationText.mapping(annotations, ANNOTATION, "a mapping with gatewayTopology")
                .flatMap(config -> ofConfig(config, at));
    }

    private static Optional<GatewayTopology> ofConfig(Fields config, Position at) {
        for (String name : config.names()) {
            if (!name.equals("gatewayTopology")) {
                config.unsupported(name);
            }
        }
        return config.object("gatewayTopology").map(topology -> decode(topology, at));
    }

    private static GatewayTopology decode(Fields topology, Position at) {
        int hops = topology.integer("numTrustedProxies", 0, Integer.MAX_VALUE).orElse(0);
        Optional<Boolean> dropped = topology.choice("forwardClientCertDetails", CERTIFICATES);
        if (dropped.isPresent() && !dropped.get()) {
            topology.unsupportedValue("forwardClientCertDetails", "this use of certificates", "SANITIZE");
        }
        Optional<Fields> proxyProtocol = topology.object("proxyProtocol");
        proxyProtocol.ifPresent(Fields::done);
        topology.done();
        return new GatewayTopology(hops, proxyProtocol.isPresent(), Optional.of(at));
    }

    /** As it is told. */
    String text() {
        return "numTrustedProxies " + trustedHops + (announced ? ", proxyProtocol" : "");
    }

    /** True when two gateways of one port want the same of it. */
    boolean isSame(GatewayTopology other) {
        return trustedHops == other.trustedHops && announced == other.announced;
    }
}
