package dev.tulle.config;

import dev.tulle.config.VirtualService.TlsMatch;
import dev.tulle.config.VirtualService.TlsRule;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** Decodes the rules of a VirtualService for TLS that passes through, by the name that is asked for. */
final class TlsRuleDecoder {
    private TlsRuleDecoder() {}

    /**
     * Decodes one.
     *
     * @param hosts those of the virtual service
     * @param gateways those for which it is
     */
    static TlsRule decode(Fields rule, String namespace, List<Item> hosts, List<String> gateways) {
        List<TlsMatch> matches = new ArrayList<>();
        for (Fields match : rule.objects("match")) {
            match.unsupported("destinationSubnets", "sourceLabels", "sourceNamespace", "sourceSubnet");
            List<String> names = new ArrayList<>();
            for (Item name : match.texts("sniHosts")) {
                name(name, hosts);
                names.add(name.text().toLowerCase(Locale.ROOT));
            }
            if (match.count("sniHosts") == 0) {
                match.error("sniHosts", "at least one name that is asked for", "this field is required");
            }
            List<String> own = IstioFields.gateways(match, namespace);
            if ((own.isEmpty() ? gateways : own).contains(VirtualService.MESH)) {
                match.unsupportedValue(
                        own.isEmpty() ? "" : "gateways",
                        "a choice by the name that is asked for in the mesh's own traffic",
                        "gateways other than mesh, of the virtual service or of this match");
            }
            matches.add(new TlsMatch(names, match.portOrNone("port"), own));
            match.done();
        }
        if (rule.count("match") == 0) {
            rule.error("match", "at least one match with sniHosts", "this field is required");
        }
        List<Destination> destinations = VirtualServiceDecoder.destinations(rule, "route", false);
        if (destinations.isEmpty()) {
            rule.error("route", "at least one destination", "this field is required");
        }
        rule.done();
        return new TlsRule(matches, destinations);
    }

    /** As in Istio, a name must be one of the virtual service's hosts, or below one. */
    private static void name(Item name, List<Item> hosts) {
        if (Words.isIpAddress(name.text())) {
            name.error("a host name or '*.suffix'", "an address, which nobody asks for");
            return;
        }
        IstioFields.checkHost(name);
        String text = name.text().toLowerCase(Locale.ROOT);
        boolean covered = hosts.stream()
                .map(host -> host.text().toLowerCase(Locale.ROOT))
                .anyMatch(host -> host.equals(text) || Hosts.covers(host, text));
        if (!covered) {
            name.error("a name that a host of the virtual service covers", "no host of the virtual service covers it");
        }
    }
}
