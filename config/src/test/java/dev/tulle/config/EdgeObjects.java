package dev.tulle.config;

import java.util.stream.Stream;

/** Istio's objects of the edge for tests, and what becomes of them beside Bookinfo. */
final class EdgeObjects {
    private EdgeObjects() {}

    static String gateway(String metadata, String... servers) {
        return """
            apiVersion: networking.istio.io/v1
            kind: Gateway
            metadata: {%s}
            spec: {selector: {istio: ingressgateway}, servers: [%s]}
            """.formatted(metadata, String.join(", ", servers));
    }

    static String server(int port, String protocol, String hosts) {
        return "{port: {number: %d, name: p%d, protocol: %s}, hosts: [%s]}".formatted(port, port, protocol, hosts);
    }

    static String virtualService(String metadata, String hosts, String gateways, String rules) {
        return """
            apiVersion: networking.istio.io/v1
            kind: VirtualService
            metadata: {%s}
            spec: {hosts: [%s], gateways: [%s], %s}
            """.formatted(metadata, hosts, gateways, rules);
    }

    static Translation translate(String... texts) {
        return Fixtures.translate(
                Fixtures.bookinfoWorkloads(),
                Stream.concat(Stream.of(Fixtures.bookinfo("services.yaml")), Stream.of(texts))
                        .toArray(String[]::new));
    }
}
