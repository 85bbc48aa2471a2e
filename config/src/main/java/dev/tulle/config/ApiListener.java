package dev.tulle.config;

import java.util.Set;

/**
 * A listener of Gateway API's Gateway or ListenerSet: a port, perhaps for some hosts only.
 *
 * @param hostname a host name, {@code *.suffix}, or {@code *} where it names none
 * @param tls what becomes of it; only with HTTPS there is any
 * @param namespaces whose routes may attach
 * @param kinds the kinds of routes that may attach
 * @param position where its port is written
 */
record ApiListener(
        String name,
        String hostname,
        int port,
        IstioGateway.Protocol protocol,
        ServerTls tls,
        NamespaceChoice namespaces,
        Set<String> kinds,
        Position position) {
    ApiListener {
        kinds = Set.copyOf(kinds);
    }

    @Override
    public String toString() {
        return protocol + " " + port + (hostname.equals("*") ? "" : " " + hostname);
    }
}
