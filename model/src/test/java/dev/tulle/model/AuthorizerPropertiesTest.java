package dev.tulle.model;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.model.AuthorizationPolicy.Action;
import dev.tulle.model.AuthorizationPolicy.Condition;
import dev.tulle.model.AuthorizationPolicy.Operation;
import dev.tulle.model.AuthorizationPolicy.Rule;
import dev.tulle.model.AuthorizationPolicy.Source;
import dev.tulle.model.Authorizer.Early;
import dev.tulle.model.AuthorizerTest.Request;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;

/**
 * Properties of authorization over generated policies, callers and requests. Method: each verdict is compared with one
 * that is written down from the definition.
 */
class AuthorizerPropertiesTest {
    @Test
    void propertiesOfGeneratedPolicies() {
        Random random = new Random(20260101);
        for (int round = 0; round < 5_000; round++) {
            List<AuthorizationPolicy> policies = new ArrayList<>();
            for (int i = random.nextInt(4); i >= 0; i--) {
                policies.add(anyPolicy(random, i));
            }
            Caller caller = random.nextInt(4) == 0
                    ? Caller.NONE
                    : random.nextBoolean() ? AuthorizerTest.SLEEP : AuthorizerTest.CURL;
            int port = 80 + random.nextInt(3);
            Request request = anyRequest(random);
            Authorizer authorizer = Authorizer.of(policies);
            RequestRules rules = authorizer.http(caller, port);
            Verdict verdict = rules.decide(request);

            // Two ways to the same answer: in steps, and from the definition.
            assertEquals(reference(policies, caller, port, request), verdict.allowed(), () -> policies + " " + request);
            // What is settled early is what happens.
            switch (rules.early()) {
                case ALLOW -> assertTrue(verdict.allowed());
                case DENY -> assertFalse(verdict.allowed());
                case NEEDS_REQUEST -> {}
            }
            // Order does not matter.
            Collections.shuffle(policies, random);
            assertEquals(verdict, Authorizer.of(policies).http(caller, port).decide(request));
            // One more DENY never lets anything pass; one more ALLOW never refuses what an ALLOW lets pass.
            AuthorizationPolicy more = anyPolicy(random, 9);
            List<AuthorizationPolicy> longer = new ArrayList<>(policies);
            longer.add(more);
            boolean then =
                    Authorizer.of(longer).http(caller, port).decide(request).allowed();
            if (more.action() == Action.DENY) {
                assertTrue(verdict.allowed() || !then);
            } else if (policies.stream().anyMatch(p -> p.action() == Action.ALLOW)) {
                assertTrue(then || !verdict.allowed());
            }
            // Bytes pass only where every plain request would pass, if it is an ALLOW that lets them.
            boolean bytes = authorizer.tcp(caller, port).allowed();
            assertTrue(!bytes || rules.early() == Early.ALLOW, () -> policies + " " + caller + " " + port);
        }
    }

    private static boolean reference(List<AuthorizationPolicy> policies, Caller caller, int port, Request request) {
        boolean anyAllow = false;
        boolean allowed = false;
        for (AuthorizationPolicy policy : policies) {
            boolean matches = policy.rules().stream().anyMatch(rule -> matches(rule, caller, port, request));
            if (policy.action() == Action.DENY && matches) {
                return false;
            }
            if (policy.action() == Action.ALLOW) {
                anyAllow = true;
                allowed |= matches;
            }
        }
        return allowed || !anyAllow;
    }

    private static boolean matches(Rule rule, Caller caller, int port, Request request) {
        boolean from = rule.from().isEmpty()
                || rule.from().stream()
                        .anyMatch(s -> in(s.principals(), s.notPrincipals(), caller.principal())
                                && in(s.namespaces(), s.notNamespaces(), caller.namespace()));
        boolean to = rule.to().isEmpty()
                || rule.to().stream()
                        .anyMatch(o -> in(o.methods(), o.notMethods(), request.method())
                                && in(o.paths(), o.notPaths(), request.path())
                                && in(o.hosts(), o.notHosts(), request.authority())
                                && (o.ports().isEmpty() || o.ports().contains(port))
                                && !o.notPorts().contains(port));
        return from && to && rule.when().stream().allMatch(c -> holds(c, caller, port, request));
    }

    private static boolean holds(Condition condition, Caller caller, int port, Request request) {
        return switch (condition) {
            case Condition.Header h ->
                in(
                        h.values(),
                        h.notValues(),
                        request.headers(h.name()).isEmpty()
                                ? ""
                                : request.headers(h.name()).getFirst());
            case Condition.Principal p -> in(p.values(), p.notValues(), caller.principal());
            case Condition.Namespace n -> in(n.values(), n.notValues(), caller.namespace());
            case Condition.Port p ->
                (p.values().isEmpty() || p.values().contains(port))
                        && !p.notValues().contains(port);
        };
    }

    private static boolean in(List<TextPattern> values, List<TextPattern> not, String text) {
        return (values.isEmpty() || values.stream().anyMatch(p -> !text.isEmpty() && p.matches(text)))
                && not.stream().noneMatch(p -> !text.isEmpty() && p.matches(text));
    }

    private static AuthorizationPolicy anyPolicy(Random random, int number) {
        List<Rule> rules = new ArrayList<>();
        for (int i = random.nextInt(3); i > 0; i--) {
            rules.add(new Rule(
                    random.nextBoolean() ? List.of() : List.of(anySource(random), anySource(random)),
                    random.nextBoolean() ? List.of() : List.of(anyOperation(random)),
                    random.nextInt(3) > 0 ? List.of() : List.of(anyCondition(random))));
        }
        Action action = random.nextBoolean() ? Action.ALLOW : Action.DENY;
        return AuthorizerTest.policy(action, "p" + number, rules.toArray(Rule[]::new));
    }

    private static Source anySource(Random random) {
        return new Source(
                some(random, "*", "cluster.local/*", "*/sa/sleep", "cluster.local/ns/foo/sa/curl"),
                some(random, "*", "*/sa/curl"),
                some(random, "default", "f*"),
                some(random, "foo"));
    }

    private static Operation anyOperation(Random random) {
        return new Operation(
                random.nextBoolean() ? List.of() : List.of(80, 81),
                random.nextInt(3) > 0 ? List.of() : List.of(81),
                some(random, "a", "*.b"),
                some(random, "a"),
                some(random, "GET", "P*"),
                some(random, "POST"),
                some(random, "/a", "/a/*", "*.html"),
                some(random, "/a/b", "/c*"));
    }

    private static Condition anyCondition(Random random) {
        return switch (random.nextInt(4)) {
            case 0 -> new Condition.Header("x", some(random, "1", "2*", "*"), AuthorizerTest.patterns("3"));
            case 1 -> new Condition.Principal(AuthorizerTest.patterns("*/sa/sleep"), some(random, "x"));
            case 2 -> new Condition.Namespace(AuthorizerTest.patterns("default", "f*"), some(random, "foo"));
            default -> new Condition.Port(List.of(80, 82), random.nextBoolean() ? List.of() : List.of(82));
        };
    }

    private static List<TextPattern> some(Random random, String... written) {
        return random.nextBoolean()
                ? List.of()
                : AuthorizerTest.patterns(written).subList(0, 1 + random.nextInt(written.length));
    }

    private static Request anyRequest(Random random) {
        return new Request(
                pick(random, "GET", "POST", "PUT"),
                pick(random, "a", "c.b", "d"),
                pick(random, "/a", "/a/b", "/a/x.html", "/c", "/d"),
                random.nextBoolean() ? Map.of() : Map.of("x", List.of(pick(random, "1", "22", "3"))));
    }

    private static String pick(Random random, String... texts) {
        return texts[random.nextInt(texts.length)];
    }
}
