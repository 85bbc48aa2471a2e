package dev.tulle.model;

import java.util.Locale;
import java.util.Optional;

/** What is spoken on a service port: decides whether the kernel may route it and how the proxy reads it. */
public enum AppProtocol {
    HTTP,
    HTTP2,
    GRPC,
    TCP,
    TLS,
    UDP,
    /** Nobody said: the proxy looks at the first bytes. */
    AUTO;

    /** Parses Istio's and Kubernetes' spellings: {@code appProtocol}, or a port name such as {@code http-web}. */
    public static Optional<AppProtocol> parse(String text) {
        String word = text.toLowerCase(Locale.ROOT);
        int dash = word.indexOf('-');
        String head = dash > 0 && !word.startsWith("grpc-web") ? word.substring(0, dash) : word;
        return switch (head) {
            case "http", "http1" -> Optional.of(HTTP);
            case "http2", "h2c" -> Optional.of(HTTP2);
            case "grpc" -> Optional.of(GRPC);
            case "tcp", "mongo", "mysql", "redis" -> Optional.of(TCP);
            case "tls", "https" -> Optional.of(TLS);
            case "udp" -> Optional.of(UDP);
            case "auto" -> Optional.of(AUTO);
            default -> Optional.empty();
        };
    }

    /** True when requests, not only bytes, can be routed on such a port. */
    public boolean isHttp() {
        return this == HTTP || this == HTTP2 || this == GRPC;
    }
}
