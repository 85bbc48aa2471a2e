package dev.tulle.config;

import dev.tulle.config.IstioGateway.Protocol;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;

/** Decodes Gateway API's Gateway, ListenerSet and GatewayClass. */
final class ApiGatewayDecoder {
    private static final int MOST_LISTENERS = 64;

    /** Gateway API's words; those without a meaning here are right and cannot be honoured. */
    private static final Map<String, Optional<Protocol>> PROTOCOLS = new TreeMap<>(Map.of(
            "HTTP", Optional.of(Protocol.HTTP),
            "HTTPS", Optional.of(Protocol.HTTPS),
            "TCP", Optional.of(Protocol.TCP),
            "TLS", Optional.empty(),
            "UDP", Optional.empty()));

    private ApiGatewayDecoder() {}

    static ConfigResource decodeClass(Manifest manifest, Fields document) {
        if (!manifest.ref().name().equals(GatewayClass.TULLE)) {
            document.object("metadata")
                    .ifPresent(metadata ->
                            metadata.unsupportedValue("name", "a class other than Tulle's own", GatewayClass.TULLE));
        }
        document.requiredObject("spec").ifPresent(spec -> {
            String controller = spec.requiredString("controllerName");
            if (!controller.isEmpty() && !controller.equals(GatewayClass.CONTROLLER)) {
                spec.unsupportedValue("controllerName", "a class that somebody else serves", GatewayClass.CONTROLLER);
            }
            spec.string("description");
            spec.unsupported("parametersRef");
            spec.done();
        });
        return new GatewayClass(manifest);
    }

    static ConfigResource decode(Manifest manifest, Fields document) {
        Optional<Fields> found = document.requiredObject("spec");
        if (found.isEmpty()) {
            return new ApiGateway(manifest, List.of(), NamespaceChoice.NONE);
        }
        Fields spec = found.get();
        String name = spec.requiredString("gatewayClassName");
        if (!name.isEmpty() && !name.equals(GatewayClass.TULLE)) {
            spec.unsupportedValue("gatewayClassName", "a class other than Tulle's own", GatewayClass.TULLE);
        }
        List<ApiListener> listeners = listeners(spec, manifest.ref().namespace());
        NamespaceChoice sets = NamespaceChoice.NONE;
        Optional<Fields> allowed = spec.object("allowedListeners");
        if (allowed.isPresent()) {
            sets = NamespaceChoice.decode(allowed.get(), NamespaceChoice.NONE);
            allowed.get().done();
        }
        spec.unsupported("addresses", "defaultScope", "infrastructure", "tls");
        spec.done();
        // Of Istio's Gateway it says which proxies are believed: who writes it here means that too.
        document.object("metadata")
                .flatMap(metadata -> metadata.object("annotations"))
                .ifPresent(annotations -> annotations.unsupported(GatewayTopology.ANNOTATION));
        return new ApiGateway(manifest, listeners, sets);
    }

    static ConfigResource decodeSet(Manifest manifest, Fields document) {
        String namespace = manifest.ref().namespace();
        Optional<Fields> found = document.requiredObject("spec");
        Optional<Fields> parent = found.flatMap(spec -> spec.requiredObject("parentRef"));
        ResourceKey gateway = new ResourceKey(Kinds.API_GATEWAY, namespace, "");
        Position position = new Position(manifest.ref().line(), 1, "spec.parentRef");
        if (parent.isPresent()) {
            Fields ref = parent.get();
            String group = ref.string("group").orElse(Kinds.GATEWAY_API);
            String kind = ref.string("kind").orElse("Gateway");
            if (!group.equals(Kinds.GATEWAY_API) || !kind.equals("Gateway")) {
                ref.unsupportedValue(
                        "kind",
                        "a parent of kind " + ParentRefs.shorten(kind),
                        "group " + Kinds.GATEWAY_API + " and kind Gateway");
            }
            gateway = new ResourceKey(
                    Kinds.API_GATEWAY, ref.string("namespace").orElse(namespace), ref.requiredString("name"));
            position = ref.position("name");
            ParentRefs.checkReference(ref);
            ref.done();
        }
        List<ApiListener> listeners =
                found.map(spec -> listeners(spec, namespace)).orElse(List.of());
        found.ifPresent(Fields::done);
        return new ListenerSet(manifest, gateway, position, listeners);
    }

    private static List<ApiListener> listeners(Fields spec, String namespace) {
        List<ApiListener> out = new ArrayList<>();
        Set<String> names = new HashSet<>();
        Map<Integer, Protocol> protocols = new HashMap<>();
        Set<List<Object>> places = new HashSet<>();
        spec.atMost("listeners", MOST_LISTENERS);
        for (Fields fields : spec.objects("listeners")) {
            listener(fields, names, namespace).ifPresent(listener -> {
                Protocol other = protocols.putIfAbsent(listener.port(), listener.protocol());
                if (other != null && other != listener.protocol()) {
                    fields.unsupportedForm(
                            "port",
                            "a port that no listener of another protocol has",
                            "another listener serves this port as " + other);
                }
                if (!places.add(List.of(listener.port(), listener.protocol(), listener.hostname()))) {
                    fields.error(
                            "port",
                            "each port, protocol and hostname once",
                            "another listener is for the same requests");
                }
                out.add(listener);
            });
        }
        if (spec.count("listeners") == 0) {
            spec.error("listeners", "at least one listener", "no listeners");
        }
        return out;
    }

    private static Optional<ApiListener> listener(Fields fields, Set<String> names, String namespace) {
        String name = fields.requiredString("name");
        if (!name.isEmpty() && !Words.isDnsDomain(name)) {
            fields.error("name", "lower-case letters, digits, '-' and '.', at most 253", "not a name");
        } else if (!name.isEmpty() && !names.add(name)) {
            fields.error("name", "each name once", "two listeners have this name");
        }
        OptionalInt port = fields.requiredPort("port");
        Position position = fields.position("port");
        Optional<Protocol> protocol = protocol(fields);
        String hostname = fields.string("hostname").orElse("");
        if (!hostname.isEmpty() && !ParentRefs.isHostname(hostname)) {
            fields.error("hostname", "a host name or '*.suffix', in lower case", "not a host name");
        }
        if (!hostname.isEmpty() && protocol.isPresent() && protocol.get() == Protocol.TCP) {
            fields.error("hostname", "no hostname beside protocol TCP", "bytes name no host");
        }
        Optional<Fields> tls = fields.object("tls");
        Optional<ServerTls> edge = Optional.of(new ServerTls.None());
        boolean secure = protocol.isPresent() && protocol.get() == Protocol.HTTPS;
        if (secure) {
            if (tls.isEmpty()) {
                fields.requiredObject("tls");
            }
            edge = tls.flatMap(found -> GatewayCertificates.decode(found, namespace));
        } else if (protocol.isPresent() && tls.isPresent()) {
            fields.error("tls", "no tls beside protocol " + protocol.get(), "this protocol has no TLS");
        }
        Set<String> usable = protocol.isPresent() && protocol.get() == Protocol.TCP
                ? Set.of("TCPRoute")
                : new TreeSet<>(Set.of("HTTPRoute", "GRPCRoute"));
        Optional<Fields> allowed = fields.object("allowedRoutes");
        NamespaceChoice namespaces = NamespaceChoice.SAME;
        Set<String> kinds = usable;
        if (allowed.isPresent()) {
            namespaces = NamespaceChoice.decode(allowed.get(), NamespaceChoice.SAME);
            kinds = kinds(allowed.get(), usable, protocol.isPresent());
            allowed.get().done();
        }
        fields.done();
        boolean whole = port.isPresent() && protocol.isPresent() && edge.isPresent();
        return whole
                ? Optional.of(new ApiListener(
                        name,
                        hostname.isEmpty() ? "*" : hostname,
                        port.getAsInt(),
                        protocol.get(),
                        edge.get(),
                        namespaces,
                        kinds,
                        position))
                : Optional.empty();
    }

    private static Optional<Protocol> protocol(Fields listener) {
        String word = listener.requiredString("protocol");
        if (word.isEmpty()) {
            return Optional.empty();
        }
        Optional<Protocol> known = PROTOCOLS.get(word);
        int slash = word.indexOf('/');
        if (known == null && !(slash > 0 && Words.isDnsDomain(word.substring(0, slash)))) {
            listener.error("protocol", "HTTP, HTTPS or TCP", "unknown protocol");
            return Optional.empty();
        }
        if (known == null || known.isEmpty()) {
            listener.unsupportedValue("protocol", "this protocol", "HTTP, HTTPS or TCP");
            listener.tolerate("tls");
            return Optional.empty();
        }
        return known;
    }

    private static Set<String> kinds(Fields allowed, Set<String> usable, boolean known) {
        allowed.atMost("kinds", 8);
        Set<String> kinds = new HashSet<>();
        for (Fields entry : allowed.objects("kinds")) {
            String group = entry.string("group").orElse(Kinds.GATEWAY_API);
            String kind = entry.requiredString("kind");
            ParentRefs.checkReference(entry);
            entry.done();
            if (known && !kind.isEmpty() && (!group.equals(Kinds.GATEWAY_API) || !usable.contains(kind))) {
                entry.unsupportedValue(
                        "kind",
                        "a listener of this protocol for routes of kind " + ParentRefs.shorten(kind),
                        String.join(" or ", new TreeSet<>(usable)));
            } else {
                kinds.add(kind);
            }
        }
        return kinds.isEmpty() ? usable : kinds;
    }
}
