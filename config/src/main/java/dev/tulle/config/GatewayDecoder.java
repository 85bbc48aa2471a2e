package dev.tulle.config;

import dev.tulle.config.IstioGateway.Host;
import dev.tulle.config.IstioGateway.Protocol;
import dev.tulle.config.IstioGateway.Server;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.TreeMap;

/** Decodes Istio's Gateway. */
final class GatewayDecoder {
    /** The labels of Istio's own ingress gateway, which Tulle's has: what selects others selects nothing here. */
    private static final Map<String, String> LABELS = Map.of("istio", "ingressgateway", "app", "istio-ingressgateway");

    /** Istio's words; those without a meaning here are right and cannot be honoured. */
    private static final Map<String, Optional<Spoken>> PROTOCOLS = protocols();

    /** What a word means; {@code http2} of words for HTTP/2 alone. */
    private record Spoken(Protocol protocol, boolean http2) {}

    private GatewayDecoder() {}

    private static Map<String, Optional<Spoken>> protocols() {
        Map<String, Optional<Spoken>> all = new TreeMap<>();
        for (Protocol protocol : Protocol.values()) {
            all.put(protocol.name(), Optional.of(new Spoken(protocol, false)));
        }
        List.of("HTTP2", "GRPC").forEach(word -> all.put(word, Optional.of(new Spoken(Protocol.HTTP, true))));
        List.of("GRPC-WEB", "MONGO", "MYSQL", "REDIS", "UDP", "HTTP_PROXY")
                .forEach(word -> all.put(word, Optional.empty()));
        return all;
    }

    static ConfigResource decode(Manifest manifest, Fields document) {
        GatewayTopology topology = GatewayTopology.of(document);
        return document.requiredObject("spec")
                .map(spec -> decodeSpec(manifest, spec, topology))
                .orElse(new IstioGateway(manifest, List.of(), topology));
    }

    private static IstioGateway decodeSpec(Manifest manifest, Fields spec, GatewayTopology topology) {
        List<Server> servers = new ArrayList<>();
        Set<String> names = new HashSet<>();
        for (Fields server : spec.objects("servers")) {
            server(server, manifest.ref().namespace(), names).ifPresent(servers::add);
        }
        if (spec.count("servers") == 0) {
            spec.error("servers", "at least one server", "a gateway without servers");
        }
        spec.object("selector").ifPresent(GatewayDecoder::selector);
        spec.done();
        return new IstioGateway(manifest, servers, topology);
    }

    private static void selector(Fields selector) {
        for (String key : selector.names()) {
            Optional<String> value = selector.string(key);
            String own = LABELS.get(key);
            if (value.isPresent() && !value.get().equals(own)) {
                selector.unsupportedValue(
                        key,
                        "a gateway other than Tulle's own",
                        "istio: ingressgateway, app: istio-ingressgateway, or no selector");
            }
        }
    }

    private static Optional<Server> server(Fields server, String namespace, Set<String> names) {
        Optional<Fields> port = server.requiredObject("port");
        Optional<Spoken> spoken = port.flatMap(fields -> spoken(fields, names));
        Optional<Protocol> protocol = spoken.map(Spoken::protocol);
        OptionalInt number = port.map(fields -> fields.requiredPort("number")).orElse(OptionalInt.empty());
        Position position = port.map(fields -> fields.position("number")).orElseGet(server::position);
        port.ifPresent(fields -> {
            fields.unsupported("targetPort");
            fields.done();
        });
        List<Host> hosts = new ArrayList<>();
        for (Item item : server.texts("hosts")) {
            host(item, namespace).ifPresent(hosts::add);
        }
        if (server.count("hosts") == 0) {
            server.error("hosts", "at least one host", "a server without hosts");
        }
        server.string("name");
        server.unsupported("bind", "defaultEndpoint");
        Optional<Fields> tls = server.object("tls");
        boolean redirects = tls.flatMap(fields -> fields.bool("httpsRedirect")).orElse(false);
        Optional<ServerTls> edge = Optional.of(new ServerTls.None());
        if (protocol.isPresent() && protocol.get().isByName()) {
            if (tls.isEmpty()) {
                server.requiredObject("tls");
            }
            edge = tls.flatMap(GatewayTls::decode);
        } else if (protocol.isPresent()) {
            tls.ifPresent(fields -> GatewayTls.refuse(fields, protocol.get()));
        }
        server.done();
        boolean whole = spoken.isPresent() && number.isPresent() && edge.isPresent();
        return whole
                ? Optional.of(new Server(
                        number.getAsInt(),
                        spoken.get().protocol(),
                        spoken.get().http2(),
                        hosts,
                        redirects && spoken.get().protocol() == Protocol.HTTP,
                        edge.get(),
                        position))
                : Optional.empty();
    }

    private static Optional<Spoken> spoken(Fields port, Set<String> names) {
        String name = port.requiredString("name");
        if (!name.isEmpty() && !names.add(name)) {
            port.error("name", "each name once", "two ports of this gateway have this name");
        }
        String word = port.requiredString("protocol").toUpperCase(Locale.ROOT);
        if (word.isEmpty()) {
            return Optional.empty();
        }
        Optional<Spoken> known = PROTOCOLS.get(word);
        if (known == null) {
            port.error("protocol", "HTTP, HTTPS, HTTP2, GRPC, TCP or TLS", "unknown protocol");
            return Optional.empty();
        }
        if (known.isEmpty()) {
            port.unsupportedValue("protocol", "this protocol", "HTTP, HTTPS, HTTP2, GRPC, TCP or TLS");
        }
        return known;
    }

    /** A host, or NAMESPACE/HOST: {@code .} is the gateway's own namespace, {@code *} every one. */
    private static Optional<Host> host(Item item, String namespace) {
        String text = item.text();
        int slash = text.indexOf('/');
        String name = text.substring(slash + 1);
        String of = slash < 0 ? "*" : text.substring(0, slash);
        if (slash >= 0 && !of.equals("*") && !of.equals(".") && !Names.isLabel(of)) {
            item.error(
                    "HOST or NAMESPACE/HOST, with \"*\" for every and \".\" for the own namespace", "not a namespace");
            return Optional.empty();
        }
        if (Words.isIpAddress(name)) {
            item.unsupported("an address as host", "a host name, '*' or '*.suffix'");
            return Optional.empty();
        }
        IstioFields.checkHost(new Item(item.findings(), item.at(), name));
        return Optional.of(new Host(of.equals(".") ? namespace : of, name.toLowerCase(Locale.ROOT)));
    }
}
