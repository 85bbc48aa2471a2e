package dev.tulle.config;

import dev.tulle.config.IstioGateway.Protocol;
import dev.tulle.model.ResourceRef;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * Whose the ports of the edge are: a port is the oldest Gateway's that wants it, Istio's or Gateway API's, because the two
 * have different rules about who shares one. Pure.
 */
final class EdgeClaims {
    /** Who has a port. */
    record Claim(Protocol protocol, boolean ofGatewayApi, ResourceRef owner) {}

    private final Map<Integer, Claim> ports = new HashMap<>();

    EdgeClaims(ConfigSnapshot config) {
        List<ConfigResource> all = Stream.<ConfigResource>concat(
                        config.gateways().stream(), config.apiGateways().stream())
                .sorted(ConfigResource.OLDEST_FIRST)
                .toList();
        for (ConfigResource gateway : all) {
            if (gateway instanceof IstioGateway istio) {
                istio.servers().forEach(server -> claim(server.port(), server.protocol(), false, istio));
            } else if (gateway instanceof ApiGateway own) {
                own.listeners().forEach(listener -> claim(listener.port(), listener.protocol(), true, own));
                setsOf(own, config).forEach(set -> set.listeners()
                        .forEach(listener -> claim(listener.port(), listener.protocol(), true, set)));
            }
        }
    }

    private void claim(int port, Protocol protocol, boolean ofGatewayApi, ConfigResource owner) {
        ports.putIfAbsent(port, new Claim(protocol, ofGatewayApi, owner.ref()));
    }

    /** Who has a port instead of a gateway of one of the two kinds that wants to speak a protocol there. */
    Optional<Claim> taken(int port, Protocol protocol, boolean ofGatewayApi) {
        return Optional.ofNullable(ports.get(port))
                .filter(claim -> claim.ofGatewayApi() != ofGatewayApi || !isShared(claim, protocol));
    }

    /** Where names decide, Istio has HTTPS and TLS side by side. */
    private static boolean isShared(Claim claim, Protocol protocol) {
        return claim.protocol() == protocol
                || (!claim.ofGatewayApi() && claim.protocol().isByName() && protocol.isByName());
    }

    /** What is spoken at a port that somebody has, and by whose rules where they are not Istio's. */
    String protocolOf(int port) {
        Claim claim = Optional.ofNullable(ports.get(port)).orElseThrow();
        return (claim.ofGatewayApi() ? "Gateway API's " : "") + claim.protocol();
    }

    /** The ListenerSets that add listeners to a Gateway, in the order in which they count. */
    static List<ListenerSet> setsOf(ApiGateway gateway, ConfigSnapshot config) {
        return config.listenerSets().stream()
                .filter(set -> set.gateway().equals(gateway.key())
                        && gateway.sets()
                                .admits(gateway.namespace(), set.namespace(), config.labelsOf(set.namespace())))
                .sorted(ConfigResource.GATEWAY_API_ORDER)
                .toList();
    }
}
