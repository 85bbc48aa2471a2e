package dev.tulle.config;

import dev.tulle.model.AppProtocol;
import dev.tulle.model.ServicePort;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;

/** Decodes the ports of a ServiceEntry. */
final class EntryPorts {
    private static final int MOST = 256;
    private static final String PROTOCOLS = "one of HTTP, HTTP2, GRPC, HTTPS, TLS, TCP, UDP";

    /** Istio's words for protocols, of which the last two cannot be honoured. */
    private static final Set<String> PROTOCOL_WORDS = Set.of(
            "tcp", "udp", "grpc", "http", "http2", "https", "tls", "mongo", "redis", "mysql", "grpc-web", "http_proxy");

    private EntryPorts() {}

    /** @param shared whether several hosts are told apart at each port */
    static List<ServicePort> decode(Fields spec, boolean shared) {
        List<ServicePort> ports = new ArrayList<>();
        Set<Integer> numbers = new HashSet<>();
        Set<String> names = new HashSet<>();
        spec.atMost("ports", MOST);
        List<Fields> list = spec.objects("ports");
        if (list.isEmpty()) {
            spec.unsupportedForm("ports", "at least one port", "a service without ports serves nothing");
        }
        for (Fields port : list) {
            int number = port.requiredPort("number").orElse(0);
            String name = port.requiredString("name");
            int target = port.port("targetPort").orElse(number);
            if (!name.isEmpty() && !Names.isLabel(name)) {
                port.error("name", "letters, digits and inner '-', at most 63", "not a port's name");
            }
            AppProtocol protocol = protocol(port, name);
            if (shared && !tellsHostsApart(port.string("protocol").orElse(""))) {
                port.error("protocol", "HTTP or TLS, or a single host", "several hosts cannot be told apart here");
            }
            if (number > 0 && !numbers.add(number)) {
                port.error("number", "each port number once", "two ports have this number");
            }
            if (!name.isEmpty() && !names.add(name)) {
                port.error("name", "each name once", "two ports have this name");
            }
            port.done();
            if (number > 0) {
                ports.add(new ServicePort(number, target, protocol, name));
            }
        }
        return ports;
    }

    private static AppProtocol protocol(Fields port, String name) {
        String word = port.string("protocol").orElse("").toLowerCase(Locale.ROOT);
        if (word.isEmpty()) {
            return AppProtocol.parse(name).orElse(AppProtocol.AUTO);
        }
        Optional<AppProtocol> parsed = word.equals("grpc-web") ? Optional.empty() : AppProtocol.parse(word);
        if (!PROTOCOL_WORDS.contains(word)) {
            port.error("protocol", PROTOCOLS, "unknown protocol");
        } else if (parsed.isEmpty()) {
            port.unsupportedValue("protocol", "this protocol", PROTOCOLS);
        }
        return parsed.orElse(AppProtocol.AUTO);
    }

    /** By the authority of a request, or by the name that a TLS client says. */
    private static boolean tellsHostsApart(String protocol) {
        return switch (protocol.toLowerCase(Locale.ROOT)) {
            case "http", "http2", "http_proxy", "grpc", "grpc-web", "https", "tls" -> true;
            default -> false;
        };
    }
}
