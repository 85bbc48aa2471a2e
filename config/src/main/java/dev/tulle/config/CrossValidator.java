package dev.tulle.config;

import dev.tulle.config.DestinationRule.Subset;
import dev.tulle.config.DestinationRule.TrafficPolicy;
import dev.tulle.config.Problem.Severity;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;

/** Finds what is wrong between resources that are each right by themselves. Pure. */
final class CrossValidator {
    private final List<Finding> findings = new ArrayList<>();
    /** The namespace of each declared service, by host name. */
    private final Map<String, String> namespaces = new HashMap<>();

    private final List<DestinationRule> rules = new ArrayList<>();
    private final Policies policies;
    private final Collection<ConfigResource> resources;

    /**
     * A problem between resources.
     *
     * @param resource the resource that is wrong in the present company
     * @param partners the resources that could be to blame as well
     */
    record Finding(ResourceKey resource, Set<ResourceKey> partners, Problem problem) {}

    private CrossValidator(Collection<ConfigResource> resources) {
        this.resources = resources;
        for (ConfigResource resource : resources) {
            switch (resource) {
                case KubernetesService service -> namespaces.putIfAbsent(service.hostname(), service.namespace());
                case ServiceEntry entry ->
                    entry.hosts().forEach(host -> namespaces.putIfAbsent(host, entry.namespace()));
                case DestinationRule rule -> rules.add(rule);
                case VirtualService _,
                        HttpRoute _,
                        TcpRoute _,
                        WorkloadEntry _,
                        IstioAuthorization _,
                        IstioGateway _,
                        ApiGateway _,
                        ListenerSet _,
                        GatewayClass _,
                        ReferenceGrant _,
                        KubernetesNamespace _,
                        Secret _ -> {}
            }
        }
        rules.sort(ConfigResource.OLDEST_FIRST);
        this.policies = new Policies(rules, namespaces::containsKey);
    }

    /** Checks resources in a stable order: where two are in conflict, the later one is wrong. */
    static List<Finding> check(Collection<ConfigResource> resources) {
        CrossValidator validator = new CrossValidator(resources);
        validator.volume();
        validator.rulesOnce();
        validator.hostsOnce();
        for (ConfigResource resource : resources) {
            if (resource instanceof VirtualService service) {
                validator.destinations(service);
            }
        }
        return validator.findings;
    }

    private void volume() {
        int count = 0;
        int regexes = 0;
        int values = 0;
        for (ConfigResource resource : resources) {
            count++;
            int own = Volume.regexes(resource);
            int size = Volume.values(resource);
            regexes += own;
            values += size;
            if (count > Volume.MAX_RESOURCES) {
                tooMuch(resource, "resources", Volume.MAX_RESOURCES);
            } else if (own > 0 && regexes > Volume.MAX_REGEXES) {
                tooMuch(resource, "regular expressions", Volume.MAX_REGEXES);
                regexes -= own;
                values -= size;
            } else if (values > Volume.MAX_VALUES) {
                tooMuch(resource, "values", Volume.MAX_VALUES);
                values -= size;
                regexes -= own;
            }
        }
    }

    private void tooMuch(ConfigResource resource, String what, int most) {
        findings.add(new Finding(
                resource.key(),
                Set.of(),
                new Problem(
                        Severity.ERROR,
                        resource.ref().file(),
                        resource.ref().line(),
                        1,
                        resource.key().toString(),
                        "",
                        "",
                        "at most " + most + " in force together",
                        "too many " + what)));
    }

    private String resolve(String host, String namespace) {
        return Hosts.resolve(host, namespace, namespaces::containsKey);
    }

    private void destinations(VirtualService service) {
        for (HttpRule rule : service.http()) {
            if (rule.action() instanceof HttpRule.Action.Forward forward) {
                forward.destinations().forEach(d -> destination(service, d));
                forward.mirrors().forEach(m -> destination(service, m.destination()));
            }
        }
        for (VirtualService.TlsRule rule : service.tls()) {
            rule.destinations().forEach(d -> destination(service, d));
        }
        for (VirtualService.TcpRule rule : service.tcp()) {
            rule.destinations().forEach(d -> destination(service, d));
        }
    }

    private void destination(VirtualService service, Destination destination) {
        if (destination.subset().isEmpty()) {
            return;
        }
        String hostname = resolve(destination.host(), service.namespace());
        List<DestinationRule> counting = rulesOf(hostname);
        Set<String> subsets = new TreeSet<>();
        Set<ResourceKey> partners = new LinkedHashSet<>();
        for (DestinationRule rule : counting) {
            partners.add(rule.key());
            rule.subsets().forEach(subset -> subsets.add(subset.name()));
        }
        if (subsets.contains(destination.subset())) {
            return;
        }
        Optional<DestinationRule> elsewhere = policies.rulesAnywhere(hostname).stream()
                .filter(rule -> rule.subsets().stream().anyMatch(s -> s.name().equals(destination.subset())))
                .findFirst();
        String message;
        if (elsewhere.isPresent()) {
            partners.add(elsewhere.get().key());
            message = "a subset of " + elsewhere.get().ref() + ", which is about callers of its own namespace and"
                    + FieldReader.NOT_SUPPORTED;
        } else if (counting.isEmpty()) {
            message = "no DestinationRule declares subsets of the host " + hostname;
        } else {
            message = "no such subset in " + counting.getFirst().ref();
        }
        String expected =
                subsets.isEmpty() ? "a subset that a DestinationRule declares" : "one of " + String.join(", ", subsets);
        findings.add(new Finding(
                service.key(),
                partners,
                Problems.at(
                        Severity.ERROR,
                        service.ref(),
                        destination.position(),
                        destination.subset(),
                        expected,
                        message)));
    }

    /** The rules that are in force for a host; where nobody knows whose it is, all. */
    private List<DestinationRule> rulesOf(String hostname) {
        return Optional.ofNullable(namespaces.get(hostname))
                .or(() -> Hosts.namespaceOf(hostname))
                .map(namespace -> policies.rulesOf(namespace, hostname).rules())
                .orElseGet(() -> policies.rulesAnywhere(hostname));
    }

    /** Rules of one namespace for one host add up, but one traffic policy counts, and each subset has one meaning. */
    private void rulesOnce() {
        Map<List<String>, Map<String, DestinationRule>> parts = new HashMap<>();
        for (DestinationRule rule : rules) {
            String host = resolve(rule.host(), rule.namespace());
            Map<String, DestinationRule> owners =
                    parts.computeIfAbsent(List.of(rule.namespace(), host), _ -> new HashMap<>());
            if (!rule.policy().equals(TrafficPolicy.NONE)) {
                once(
                        rule,
                        Optional.ofNullable(owners.putIfAbsent("", rule)),
                        rule.hostPosition(),
                        rule.host(),
                        "its trafficPolicy has no effect: the host has one from ");
            }
            for (Subset subset : rule.subsets()) {
                once(
                        rule,
                        Optional.ofNullable(owners.putIfAbsent(subset.name(), rule)),
                        subset.position(),
                        subset.name(),
                        "this subset has no effect: it is already declared by ");
            }
        }
    }

    private void once(
            DestinationRule rule, Optional<DestinationRule> earlier, Position at, String value, String message) {
        earlier.ifPresent(older -> findings.add(new Finding(
                rule.key(),
                Set.of(),
                Problems.at(
                                Severity.WARNING,
                                rule.ref(),
                                at,
                                value,
                                "one DestinationRule for a host",
                                message + older.ref())
                        .as(Warning.HOST_RULED_TWICE))));
    }

    /** Of two routings of one host one is in force. */
    private void hostsOnce() {
        Map<String, VirtualService> owners = new HashMap<>();
        for (ConfigResource resource :
                resources.stream().sorted(ConfigResource.OLDEST_FIRST).toList()) {
            if (resource instanceof VirtualService service && service.isFor(VirtualService.MESH)) {
                for (int i = 0; i < service.hosts().size(); i++) {
                    String hostname = resolve(service.hosts().get(i), service.namespace());
                    VirtualService earlier = owners.putIfAbsent(hostname, service);
                    if (earlier != null) {
                        boolean self = earlier.key().equals(service.key());
                        findings.add(new Finding(
                                service.key(),
                                Set.of(),
                                Problems.at(
                                                Severity.WARNING,
                                                service.ref(),
                                                service.hostPositions().get(i),
                                                service.hosts().get(i),
                                                "each host once",
                                                self
                                                        ? "the host is here twice"
                                                        : "the host is also routed by " + earlier.ref()
                                                                + ", whose rules for requests alone count")
                                        .as(Warning.HOST_ROUTED_TWICE)));
                    }
                }
            }
        }
        for (ConfigResource resource : resources) {
            if (resource instanceof HttpRoute route) {
                for (HttpRoute.Parent parent : route.parents()) {
                    VirtualService other = owners.get(parent.hostname());
                    if (other != null) {
                        findings.add(new Finding(
                                route.key(),
                                Set.of(),
                                Problems.at(
                                                Severity.WARNING,
                                                route.ref(),
                                                parent.position(),
                                                parent.service(),
                                                "a Service that no VirtualService routes",
                                                "the Service is also routed by " + other.ref()
                                                        + ", whose rules for requests have no effect beside these")
                                        .as(Warning.HOST_ROUTED_TWICE)));
                    }
                }
            }
        }
    }
}
