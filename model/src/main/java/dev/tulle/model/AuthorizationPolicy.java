package dev.tulle.model;

import java.util.List;

/**
 * Who may ask the selected workloads for what: Istio's object, of which ALLOW and DENY on the caller's identity, the
 * port and the request are supported. {@link Authorizer} decides by it.
 *
 * @param name the resource's name, {@code namespace/name}
 * @param scope how it was applied; which workloads those are is said by {@link Workload#policies()}
 * @param action what a matching rule does
 * @param rules any of them is enough; an ALLOW without rules allows nothing, a DENY without rules denies nothing
 * @param origin the object it was made from
 */
public record AuthorizationPolicy(String name, Scope scope, Action action, List<Rule> rules, ResourceRef origin) {
    public AuthorizationPolicy {
        rules = List.copyOf(rules);
    }

    /** Which workloads a policy applies to. */
    public enum Scope {
        /** All of the mesh: without a selector in the root namespace. */
        GLOBAL,
        /** All of its namespace. */
        NAMESPACE,
        /** Those that its selector names. */
        WORKLOAD_SELECTOR
    }

    /** What a matching rule does. */
    public enum Action {
        /** What no ALLOW of a workload matches is refused, as soon as there is one ALLOW. */
        ALLOW,
        /** Asked first: what matches is refused whatever is allowed. */
        DENY
    }

    /** True when something is asked that only a request can answer. */
    public boolean needsRequest() {
        return rules.stream()
                .anyMatch(rule -> rule.to().stream().anyMatch(Operation::needsRequest)
                        || rule.when().stream().anyMatch(Condition.Header.class::isInstance));
    }

    /** {@code namespace/name} of the policy of that name. */
    public static String nameOf(String namespace, String name) {
        return namespace + "/" + name;
    }

    /**
     * Matches when one of {@code from}, one of {@code to} and every one of {@code when} do; an empty list asks nothing.
     */
    public record Rule(List<Source> from, List<Operation> to, List<Condition> when) {
        public Rule {
            from = List.copyOf(from);
            to = List.copyOf(to);
            when = List.copyOf(when);
        }
    }

    /** Conditions on the caller; all must hold, of each list one value, of each {@code not} list none. */
    public record Source(
            List<TextPattern> principals,
            List<TextPattern> notPrincipals,
            List<TextPattern> namespaces,
            List<TextPattern> notNamespaces) {
        public Source {
            principals = List.copyOf(principals);
            notPrincipals = List.copyOf(notPrincipals);
            namespaces = List.copyOf(namespaces);
            notNamespaces = List.copyOf(notNamespaces);
        }
    }

    /**
     * Conditions on what is asked; all must hold, of each list one value, of each {@code not} list none.
     *
     * @param ports the workload's own ports, after the service's port was translated
     */
    public record Operation(
            List<Integer> ports,
            List<Integer> notPorts,
            List<TextPattern> hosts,
            List<TextPattern> notHosts,
            List<TextPattern> methods,
            List<TextPattern> notMethods,
            List<TextPattern> paths,
            List<TextPattern> notPaths) {
        /** Asks nothing. */
        public static final Operation ANY =
                new Operation(List.of(), List.of(), List.of(), List.of(), List.of(), List.of(), List.of(), List.of());

        public Operation {
            ports = List.copyOf(ports);
            notPorts = List.copyOf(notPorts);
            hosts = List.copyOf(hosts);
            notHosts = List.copyOf(notHosts);
            methods = List.copyOf(methods);
            notMethods = List.copyOf(notMethods);
            paths = List.copyOf(paths);
            notPaths = List.copyOf(notPaths);
        }

        /** True when something is asked that only a request can answer. */
        public boolean needsRequest() {
            return !(hosts.isEmpty()
                    && notHosts.isEmpty()
                    && methods.isEmpty()
                    && notMethods.isEmpty()
                    && paths.isEmpty()
                    && notPaths.isEmpty());
        }

        /** The conditions on the request, without those on the port. */
        public Operation withoutPorts() {
            return ports.isEmpty() && notPorts.isEmpty()
                    ? this
                    : new Operation(List.of(), List.of(), hosts, notHosts, methods, notMethods, paths, notPaths);
        }
    }

    /** One entry of {@code when}: one of the values where there are any, and none of the not-values. */
    public sealed interface Condition {
        /**
         * {@code request.headers[name]}.
         *
         * @param name in lower case
         */
        record Header(String name, List<TextPattern> values, List<TextPattern> notValues) implements Condition {
            public Header {
                values = List.copyOf(values);
                notValues = List.copyOf(notValues);
            }
        }

        /** {@code source.principal}. */
        record Principal(List<TextPattern> values, List<TextPattern> notValues) implements Condition {
            public Principal {
                values = List.copyOf(values);
                notValues = List.copyOf(notValues);
            }
        }

        /** {@code source.namespace}. */
        record Namespace(List<TextPattern> values, List<TextPattern> notValues) implements Condition {
            public Namespace {
                values = List.copyOf(values);
                notValues = List.copyOf(notValues);
            }
        }

        /** {@code destination.port}: the workload's own port. */
        record Port(List<Integer> values, List<Integer> notValues) implements Condition {
            public Port {
                values = List.copyOf(values);
                notValues = List.copyOf(notValues);
            }
        }
    }
}
