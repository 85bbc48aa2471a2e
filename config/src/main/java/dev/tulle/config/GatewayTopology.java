package dev.tulle.config;

import dev.tulle.config.Tree.Entry;
import dev.tulle.config.Tree.Mapping;
import dev.tulle.config.Tree.Scalar;
import dev.tulle.config.Tree.Sequence;
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

    private static final ManifestParser.Limits LIMITS = new ManifestParser.Limits(1 << 16, 16, 1_000, 2);

    /** That of a document. */
    static GatewayTopology of(Fields document) {
        return document.object("metadata")
                .flatMap(metadata -> metadata.object("annotations"))
                .filter(annotations -> annotations.has(ANNOTATION))
                .flatMap(GatewayTopology::decode)
                .orElse(NONE);
    }

    private static Optional<GatewayTopology> decode(Fields annotations) {
        String text = annotations.string(ANNOTATION).orElse("");
        Position at = annotations.position(ANNOTATION);
        YamlReader.Result read = YamlReader.read(text, LIMITS);
        if (read.trouble().isPresent()) {
            annotations.error(ANNOTATION, "JSON or YAML", read.trouble().get().message());
            return Optional.empty();
        }
        if (read.documents().size() != 1 || !(read.documents().getFirst() instanceof Mapping mapping)) {
            annotations.error(ANNOTATION, "a mapping with gatewayTopology", "not one mapping");
            return Optional.empty();
        }
        Fields config = new Fields(annotations.findings(), (Mapping) at(mapping, at), at.field());
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

    /** A tree of the annotation's text, of which all stands where the annotation does. */
    private static Tree at(Tree tree, Position at) {
        return switch (tree) {
            case Scalar scalar -> at(scalar, at);
            case Sequence list ->
                new Sequence(list.items().stream().map(item -> at(item, at)).toList(), at.line(), at.column());
            case Mapping mapping ->
                new Mapping(
                        mapping.entries().stream()
                                .map(entry -> new Entry(at(entry.key(), at), at(entry.value(), at)))
                                .toList(),
                        at.line(),
                        at.column());
        };
    }

    private static Scalar at(Scalar scalar, Position at) {
        return new Scalar(scalar.text(), scalar.quoted(), at.line(), at.column());
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
