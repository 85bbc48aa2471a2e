package dev.tulle.config;

import dev.tulle.config.DestinationRule.Subset;
import dev.tulle.config.Problem.Severity;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/** Finds what is wrong between resources that are each right by themselves. Pure. */
final class CrossValidator {
    private final List<Finding> findings = new ArrayList<>();
    private final Set<String> hostnames = new HashSet<>();
    private final Map<String, List<DestinationRule>> rulesByHost = new HashMap<>();
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
        List<DestinationRule> rules = new ArrayList<>();
        for (ConfigResource resource : resources) {
            switch (resource) {
                case KubernetesService service -> hostnames.add(service.hostname());
                case ServiceEntry entry -> hostnames.addAll(entry.hosts());
                case DestinationRule rule -> rules.add(rule);
                case VirtualService _, HttpRoute _, WorkloadEntry _, IstioAuthorization _ -> {}
            }
        }
        for (DestinationRule rule : rules) {
            rulesByHost
                    .computeIfAbsent(resolve(rule.host(), rule.namespace()), _ -> new ArrayList<>())
                    .add(rule);
        }
        this.policies = new Policies(rules, hostnames::contains);
    }

    /** Checks resources in a stable order: where two are in conflict, the later one is wrong. */
    static List<Finding> check(Collection<ConfigResource> resources) {
        CrossValidator validator = new CrossValidator(resources);
        validator.volume();
        validator.subsetsOnce();
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
        return Hosts.resolve(host, namespace, hostnames::contains);
    }

    private void destinations(VirtualService service) {
        for (HttpRule rule : service.http()) {
            if (rule.action() instanceof HttpRule.Action.Forward forward) {
                forward.destinations().forEach(d -> destination(service, d));
                forward.mirrors().forEach(m -> destination(service, m.destination()));
            }
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
        List<DestinationRule> rules = policies.rulesOf(hostname);
        Set<String> subsets = new TreeSet<>();
        Set<ResourceKey> partners = new LinkedHashSet<>();
        for (DestinationRule rule : rules) {
            partners.add(rule.key());
            rule.subsets().forEach(subset -> subsets.add(subset.name()));
        }
        if (subsets.contains(destination.subset())) {
            return;
        }
        String message = rules.isEmpty()
                ? "no DestinationRule declares subsets of the host " + hostname
                : "no such subset in " + rules.getFirst().ref();
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

    /** Several rules of one host add up, but each subset has one meaning. */
    private void subsetsOnce() {
        for (List<DestinationRule> rules : rulesByHost.values()) {
            Map<String, DestinationRule> owners = new HashMap<>();
            for (DestinationRule rule : rules) {
                for (Subset subset : rule.subsets()) {
                    DestinationRule earlier = owners.putIfAbsent(subset.name(), rule);
                    if (earlier != null) {
                        findings.add(new Finding(
                                rule.key(),
                                Set.of(earlier.key()),
                                Problems.at(
                                        Severity.ERROR,
                                        rule.ref(),
                                        subset.position(),
                                        subset.name(),
                                        "each subset of a host once",
                                        "the subset is already declared by " + earlier.ref())));
                    }
                }
            }
        }
    }

    /** Two routings of one host are both in force, one after the other, which is seldom meant. */
    private void hostsOnce() {
        Map<String, VirtualService> owners = new HashMap<>();
        for (ConfigResource resource : resources) {
            if (resource instanceof VirtualService service) {
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
                                                        + ", whose rules come first")
                                        .as(Warning.HOST_ROUTED_TWICE)));
                    }
                }
            }
        }
    }
}
