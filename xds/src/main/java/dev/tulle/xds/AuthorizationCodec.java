package dev.tulle.xds;

import com.google.protobuf.Empty;
import dev.tulle.model.AuthorizationPolicy;
import dev.tulle.model.AuthorizationPolicy.Condition;
import dev.tulle.model.AuthorizationPolicy.Operation;
import dev.tulle.model.AuthorizationPolicy.Rule;
import dev.tulle.model.AuthorizationPolicy.Source;
import dev.tulle.model.ResourceRef;
import dev.tulle.model.TextPattern;
import dev.tulle.xds.proto.security.Action;
import dev.tulle.xds.proto.security.Authorization;
import dev.tulle.xds.proto.security.Group;
import dev.tulle.xds.proto.security.Match;
import dev.tulle.xds.proto.security.Rules;
import dev.tulle.xds.proto.security.Scope;
import dev.tulle.xds.proto.security.StringMatch;
import dev.tulle.xds.proto.tulle.AuthorizationCondition;
import dev.tulle.xds.proto.tulle.AuthorizationDetails;
import dev.tulle.xds.proto.tulle.AuthorizationOperation;
import dev.tulle.xds.proto.tulle.AuthorizationRule;
import dev.tulle.xds.proto.tulle.AuthorizationSource;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * {@link AuthorizationPolicy} as Istio's workload discovery has it, with the whole policy in a field of our own.
 *
 * <p>Both directions fail closed. The part for other clients leaves out what asks for a request from a DENY, which so
 * refuses more, and drops the rule from an ALLOW, which so allows less. A policy without our field, or one of a later
 * revision, decodes to one that refuses everything.
 */
final class AuthorizationCodec {
    /** What this version writes and understands. */
    static final int REVISION = 1;

    private static final String HEADER = "request.headers[";

    /** Matches every connection: an empty match would match none, and no connection goes to port 0. */
    private static final Match ANYTHING =
            Match.newBuilder().addNotDestinationPorts(0).build();

    private AuthorizationCodec() {}

    static Authorization encode(AuthorizationPolicy policy) {
        int slash = policy.name().indexOf('/');
        Authorization.Builder out = Authorization.newBuilder()
                .setNamespace(policy.name().substring(0, slash))
                .setName(policy.name().substring(slash + 1))
                .setScope(
                        switch (policy.scope()) {
                            case GLOBAL -> Scope.GLOBAL;
                            case NAMESPACE -> Scope.NAMESPACE;
                            case WORKLOAD_SELECTOR -> Scope.WORKLOAD_SELECTOR;
                        })
                .setAction(policy.action() == AuthorizationPolicy.Action.DENY ? Action.DENY : Action.ALLOW);
        AuthorizationDetails.Builder details =
                AuthorizationDetails.newBuilder().setRevision(REVISION).setOrigin(AddressCodec.origin(policy.origin()));
        for (Rule rule : policy.rules()) {
            connection(rule, policy.action() == AuthorizationPolicy.Action.DENY).ifPresent(out::addGroups);
            details.addRules(rule(rule));
        }
        return out.setDetails(details).build();
    }

    static AuthorizationPolicy decode(Authorization authorization) {
        AuthorizationPolicy.Scope scope =
                switch (authorization.getScope()) {
                    case GLOBAL -> AuthorizationPolicy.Scope.GLOBAL;
                    case NAMESPACE -> AuthorizationPolicy.Scope.NAMESPACE;
                    case WORKLOAD_SELECTOR, UNRECOGNIZED -> AuthorizationPolicy.Scope.WORKLOAD_SELECTOR;
                };
        AuthorizationDetails details = authorization.getDetails();
        String name = AuthorizationPolicy.nameOf(authorization.getNamespace(), authorization.getName());
        ResourceRef origin = AddressCodec.origin(details.getOrigin());
        Optional<AuthorizationPolicy.Action> action =
                switch (authorization.getAction()) {
                    case ALLOW -> Optional.of(AuthorizationPolicy.Action.ALLOW);
                    case DENY -> Optional.of(AuthorizationPolicy.Action.DENY);
                    case UNRECOGNIZED -> Optional.empty();
                };
        Optional<List<Rule>> rules =
                details.getRevision() == REVISION ? rules(details.getRulesList()) : Optional.empty();
        if (action.isEmpty() || rules.isEmpty()) {
            return new AuthorizationPolicy(
                    name,
                    scope,
                    AuthorizationPolicy.Action.DENY,
                    List.of(new Rule(List.of(), List.of(), List.of())),
                    origin);
        }
        return new AuthorizationPolicy(name, scope, action.get(), rules.get(), origin);
    }

    // ---- the part that other clients read ----

    /** What of a rule can be said without a request; empty for a rule that only a request can match. */
    private static Optional<Group> connection(Rule rule, boolean deny) {
        Group.Builder group = Group.newBuilder();
        if (!rule.from().isEmpty()) {
            Rules.Builder from = Rules.newBuilder();
            for (Source source : rule.from()) {
                from.addMatches(Match.newBuilder()
                        .addAllPrincipals(matches(source.principals()))
                        .addAllNotPrincipals(matches(source.notPrincipals()))
                        .addAllNamespaces(matches(source.namespaces()))
                        .addAllNotNamespaces(matches(source.notNamespaces())));
            }
            group.addRules(from);
        }
        if (!rule.to().isEmpty()) {
            Rules.Builder to = Rules.newBuilder();
            for (Operation operation : rule.to()) {
                if (deny || !operation.needsRequest()) {
                    to.addMatches(ports(operation.ports(), operation.notPorts()));
                }
            }
            if (to.getMatchesCount() == 0) {
                return Optional.empty();
            }
            group.addRules(to);
        }
        for (Condition condition : rule.when()) {
            Match.Builder match = Match.newBuilder();
            switch (condition) {
                case Condition.Header _ -> {
                    if (!deny) {
                        return Optional.empty();
                    }
                    match.mergeFrom(ANYTHING);
                }
                case Condition.Principal principal ->
                    match.addAllPrincipals(matches(principal.values()))
                            .addAllNotPrincipals(matches(principal.notValues()));
                case Condition.Namespace namespace ->
                    match.addAllNamespaces(matches(namespace.values()))
                            .addAllNotNamespaces(matches(namespace.notValues()));
                case Condition.Port port -> match.mergeFrom(ports(port.values(), port.notValues()));
            }
            group.addRules(Rules.newBuilder().addMatches(match));
        }
        if (group.getRulesCount() == 0) {
            group.addRules(Rules.newBuilder().addMatches(ANYTHING));
        }
        return Optional.of(group.build());
    }

    private static Match ports(List<Integer> ports, List<Integer> not) {
        return ports.isEmpty() && not.isEmpty()
                ? ANYTHING
                : Match.newBuilder()
                        .addAllDestinationPorts(ports)
                        .addAllNotDestinationPorts(not)
                        .build();
    }

    private static List<StringMatch> matches(List<TextPattern> patterns) {
        return patterns.stream()
                .map(pattern -> switch (pattern) {
                    case TextPattern.Exact exact ->
                        StringMatch.newBuilder().setExact(exact.text()).build();
                    case TextPattern.Prefix prefix ->
                        StringMatch.newBuilder().setPrefix(prefix.text()).build();
                    case TextPattern.Suffix suffix ->
                        StringMatch.newBuilder().setSuffix(suffix.text()).build();
                    case TextPattern.Present _ ->
                        StringMatch.newBuilder()
                                .setPresence(Empty.getDefaultInstance())
                                .build();
                })
                .toList();
    }

    // ---- the whole policy ----

    private static AuthorizationRule rule(Rule rule) {
        AuthorizationRule.Builder out = AuthorizationRule.newBuilder();
        for (Source source : rule.from()) {
            out.addFrom(AuthorizationSource.newBuilder()
                    .addAllPrincipals(written(source.principals()))
                    .addAllNotPrincipals(written(source.notPrincipals()))
                    .addAllNamespaces(written(source.namespaces()))
                    .addAllNotNamespaces(written(source.notNamespaces())));
        }
        for (Operation operation : rule.to()) {
            out.addTo(AuthorizationOperation.newBuilder()
                    .addAllPorts(operation.ports())
                    .addAllNotPorts(operation.notPorts())
                    .addAllHosts(written(operation.hosts()))
                    .addAllNotHosts(written(operation.notHosts()))
                    .addAllMethods(written(operation.methods()))
                    .addAllNotMethods(written(operation.notMethods()))
                    .addAllPaths(written(operation.paths()))
                    .addAllNotPaths(written(operation.notPaths())));
        }
        for (Condition condition : rule.when()) {
            out.addWhen(condition(condition));
        }
        return out.build();
    }

    private static AuthorizationCondition condition(Condition condition) {
        return switch (condition) {
            case Condition.Header(String name, List<TextPattern> values, List<TextPattern> not) ->
                condition(HEADER + name + "]", written(values), written(not));
            case Condition.Principal(List<TextPattern> values, List<TextPattern> not) ->
                condition("source.principal", written(values), written(not));
            case Condition.Namespace(List<TextPattern> values, List<TextPattern> not) ->
                condition("source.namespace", written(values), written(not));
            case Condition.Port(List<Integer> values, List<Integer> not) ->
                condition(
                        "destination.port",
                        values.stream().map(String::valueOf).toList(),
                        not.stream().map(String::valueOf).toList());
        };
    }

    private static AuthorizationCondition condition(String key, List<String> values, List<String> not) {
        return AuthorizationCondition.newBuilder()
                .setKey(key)
                .addAllValues(values)
                .addAllNotValues(not)
                .build();
    }

    /** Empty when one of the rules asks for something unknown. */
    private static Optional<List<Rule>> rules(List<AuthorizationRule> rules) {
        List<Rule> out = new ArrayList<>();
        for (AuthorizationRule rule : rules) {
            List<Condition> when = new ArrayList<>();
            for (AuthorizationCondition condition : rule.getWhenList()) {
                Optional<Condition> known = condition(condition);
                if (known.isEmpty()) {
                    return Optional.empty();
                }
                when.add(known.get());
            }
            out.add(new Rule(
                    rule.getFromList().stream().map(AuthorizationCodec::source).toList(),
                    rule.getToList().stream().map(AuthorizationCodec::operation).toList(),
                    when));
        }
        return Optional.of(out);
    }

    private static Source source(AuthorizationSource source) {
        return new Source(
                parsed(source.getPrincipalsList()),
                parsed(source.getNotPrincipalsList()),
                parsed(source.getNamespacesList()),
                parsed(source.getNotNamespacesList()));
    }

    private static Operation operation(AuthorizationOperation operation) {
        return new Operation(
                operation.getPortsList(),
                operation.getNotPortsList(),
                parsed(operation.getHostsList()),
                parsed(operation.getNotHostsList()),
                parsed(operation.getMethodsList()),
                parsed(operation.getNotMethodsList()),
                parsed(operation.getPathsList()),
                parsed(operation.getNotPathsList()));
    }

    private static Optional<Condition> condition(AuthorizationCondition condition) {
        String key = condition.getKey();
        List<String> values = condition.getValuesList();
        List<String> not = condition.getNotValuesList();
        if (key.startsWith(HEADER) && key.endsWith("]")) {
            return Optional.of(new Condition.Header(
                    key.substring(HEADER.length(), key.length() - 1), parsed(values), parsed(not)));
        }
        return switch (key) {
            case "source.principal" -> Optional.of(new Condition.Principal(parsed(values), parsed(not)));
            case "source.namespace" -> Optional.of(new Condition.Namespace(parsed(values), parsed(not)));
            case "destination.port" ->
                Optional.of(new Condition.Port(
                        values.stream().map(Integer::valueOf).toList(),
                        not.stream().map(Integer::valueOf).toList()));
            default -> Optional.empty();
        };
    }

    private static List<String> written(List<TextPattern> patterns) {
        return patterns.stream().map(TextPattern::written).toList();
    }

    private static List<TextPattern> parsed(List<String> written) {
        return written.stream().map(TextPattern::parse).toList();
    }
}
