package dev.tulle.xds;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.model.AppProtocol;
import dev.tulle.model.AuthorizationPolicy;
import dev.tulle.model.Authorizer;
import dev.tulle.model.Caller;
import dev.tulle.xds.proto.security.Action;
import dev.tulle.xds.proto.security.Authorization;
import dev.tulle.xds.proto.security.Group;
import dev.tulle.xds.proto.security.Match;
import dev.tulle.xds.proto.security.Rules;
import dev.tulle.xds.proto.security.Scope;
import dev.tulle.xds.proto.security.StringMatch;
import dev.tulle.xds.proto.tulle.AuthorizationCondition;
import dev.tulle.xds.proto.tulle.AuthorizationDetails;
import dev.tulle.xds.proto.tulle.AuthorizationRule;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Nobody who reads a part of a policy lets in more than the policy does. */
class AuthorizationCodecTest {
    private static final List<Caller> CALLERS = List.of(
            Caller.NONE,
            new Caller("t/ns/a/sa/x", "a"),
            new Caller("t/ns/b/sa/y", "b"),
            new Caller("t/ns/c/sa/x", "c"));

    @Test
    void aClientThatReadsConnectionsOnlyIsStricter() {
        RandomModel model = new RandomModel(11);
        Random random = new Random(11);
        int matched = 0;
        for (int i = 0; i < 20_000; i++) {
            AuthorizationPolicy policy = model.policy();
            Caller caller = CALLERS.get(random.nextInt(CALLERS.size()));
            int port = 80 + random.nextInt(3);
            boolean groups = AuthorizationCodec.encode(policy).getGroupsList().stream()
                    .anyMatch(group -> matches(group, caller, port));
            Authorizer.Early early = Authorizer.of(List.of(policy)).early(caller, port, AppProtocol.HTTP);
            matched += groups ? 1 : 0;
            if (policy.action() == AuthorizationPolicy.Action.ALLOW) {
                assertTrue(!groups || early == Authorizer.Early.ALLOW, policy::toString);
            } else {
                assertTrue(groups || early == Authorizer.Early.ALLOW, policy::toString);
            }
            boolean bytes = Authorizer.of(List.of(policy)).tcp(caller, port).allowed();
            assertEquals(bytes, groups == (policy.action() == AuthorizationPolicy.Action.ALLOW), policy::toString);
        }
        assertTrue(matched > 1_000);
    }

    /** As ztunnel evaluates: groups and matches by or, the rules of a group by and, an empty match never. */
    private static boolean matches(Group group, Caller caller, int port) {
        return group.getRulesList().stream()
                .allMatch(rules -> rules.getMatchesList().stream().anyMatch(match -> matches(match, caller, port)));
    }

    private static boolean matches(Match match, Caller caller, int port) {
        if (match.equals(Match.getDefaultInstance())) {
            return false;
        }
        return in(match.getNamespacesList(), caller.namespace(), true)
                && !in(match.getNotNamespacesList(), caller.namespace(), false)
                && in(match.getPrincipalsList(), caller.principal(), true)
                && !in(match.getNotPrincipalsList(), caller.principal(), false)
                && (match.getDestinationPortsCount() == 0
                        || match.getDestinationPortsList().contains(port))
                && !match.getNotDestinationPortsList().contains(port);
    }

    private static boolean in(List<StringMatch> patterns, String text, boolean none) {
        return patterns.isEmpty() ? none : patterns.stream().anyMatch(p -> matches(p, text));
    }

    private static boolean matches(StringMatch pattern, String text) {
        return switch (pattern.getMatchTypeCase()) {
            case EXACT -> text.equals(pattern.getExact());
            case PREFIX -> text.startsWith(pattern.getPrefix());
            case SUFFIX -> text.endsWith(pattern.getSuffix());
            case PRESENCE -> !text.isEmpty();
            case MATCHTYPE_NOT_SET -> false;
        };
    }

    @Test
    void whatIsNotUnderstoodRefusesEverything() {
        Authorization foreign = Authorization.newBuilder()
                .setNamespace("a")
                .setName("p")
                .setScope(Scope.NAMESPACE)
                .addGroups(Group.newBuilder()
                        .addRules(
                                Rules.newBuilder().addMatches(Match.newBuilder().addDestinationPorts(80))))
                .build();
        assertRefusesEverything(foreign);
        assertRefusesEverything(foreign.toBuilder()
                .setDetails(AuthorizationDetails.newBuilder().setRevision(AuthorizationCodec.REVISION + 1))
                .build());
        assertRefusesEverything(foreign.toBuilder()
                .setDetails(AuthorizationDetails.newBuilder()
                        .setRevision(AuthorizationCodec.REVISION)
                        .addRules(AuthorizationRule.newBuilder()
                                .addWhen(AuthorizationCondition.newBuilder().setKey("request.auth.claims[x]"))))
                .build());
        assertRefusesEverything(foreign.toBuilder()
                .setActionValue(7)
                .setDetails(AuthorizationDetails.newBuilder()
                        .setRevision(AuthorizationCodec.REVISION)
                        .addRules(AuthorizationRule.getDefaultInstance()))
                .build());
    }

    private static void assertRefusesEverything(Authorization authorization) {
        AuthorizationPolicy policy = AuthorizationCodec.decode(authorization);
        assertEquals("a/p", policy.name());
        for (Caller caller : CALLERS) {
            assertEquals(Authorizer.Early.DENY, Authorizer.of(List.of(policy)).early(caller, 80, AppProtocol.HTTP));
            assertFalse(Authorizer.of(List.of(policy)).tcp(caller, 80).allowed());
        }
    }

    /** The fields by upstream number: 1 name, 2 namespace, 3 scope, 4 action, 5 groups. */
    @Test
    void theUpstreamBytes() {
        Authorization known = Authorization.newBuilder()
                .setName("p")
                .setNamespace("n")
                .setScope(Scope.WORKLOAD_SELECTOR)
                .setAction(Action.DENY)
                .addGroups(Group.newBuilder()
                        .addRules(Rules.newBuilder()
                                .addMatches(Match.newBuilder()
                                        .addPrincipals(StringMatch.newBuilder().setSuffix("s"))
                                        .addNotDestinationPorts(80))))
                .build();
        assertEquals(
                "0a0170" + "12016e" + "1802" + "2001" // 1: "p"; 2: "n"; 3: 2; 4: 1
                        + "2a0c" + "0a0a" + "1208" // 5: groups {1: rules {2: matches
                        + "1a03" + "1a0173" // {3: principals {3: "s"}
                        + "520150", // 10: not 80}}}
                HexFormat.of().formatHex(known.toByteArray()));
    }
}
