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
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** What policies allow: Istio's documented examples, every field, opaque bytes. */
class AuthorizerTest {
    static final Caller SLEEP = new Caller("cluster.local/ns/default/sa/sleep", "default");
    static final Caller CURL = new Caller("cluster.local/ns/foo/sa/curl", "foo");

    record Request(String method, String authority, String path, Map<String, List<String>> fields)
            implements RequestView {
        static Request of(String method, String path) {
            return new Request(method, "reviews:9080", path, Map.of());
        }

        @Override
        public String query() {
            return "";
        }

        @Override
        public List<String> headers(String name) {
            return fields.getOrDefault(name, List.of());
        }
    }

    static List<TextPattern> patterns(String... written) {
        return Arrays.stream(written).map(TextPattern::parse).toList();
    }

    private static Source principals(String... principals) {
        return new Source(patterns(principals), List.of(), List.of(), List.of());
    }

    private static Source namespaces(String... namespaces) {
        return new Source(List.of(), List.of(), patterns(namespaces), List.of());
    }

    private static Operation methods(String... methods) {
        return operation(List.of(), patterns(methods), List.of(), List.of(), List.of());
    }

    private static Operation paths(String... paths) {
        return operation(List.of(), List.of(), patterns(paths), List.of(), List.of());
    }

    private static Operation notPaths(String... paths) {
        return operation(List.of(), List.of(), List.of(), patterns(paths), List.of());
    }

    private static Operation hosts(String... hosts) {
        return operation(List.of(), List.of(), List.of(), List.of(), patterns(hosts));
    }

    private static Operation operation(
            List<Integer> ports,
            List<TextPattern> methods,
            List<TextPattern> paths,
            List<TextPattern> notPaths,
            List<TextPattern> hosts) {
        return new Operation(ports, List.of(), hosts, List.of(), methods, List.of(), paths, notPaths);
    }

    private static Rule from(Source... sources) {
        return new Rule(List.of(sources), List.of(), List.of());
    }

    private static Rule to(Operation... operations) {
        return new Rule(List.of(), List.of(operations), List.of());
    }

    private static Rule when(Condition... conditions) {
        return new Rule(List.of(), List.of(), List.of(conditions));
    }

    static AuthorizationPolicy policy(Action action, String name, Rule... rules) {
        return new AuthorizationPolicy(
                "default/" + name,
                AuthorizationPolicy.Scope.WORKLOAD_SELECTOR,
                action,
                List.of(rules),
                new ResourceRef("AuthorizationPolicy", "default", name, "", 0));
    }

    private static AuthorizationPolicy allow(Rule... rules) {
        return policy(Action.ALLOW, "allow", rules);
    }

    private static AuthorizationPolicy deny(Rule... rules) {
        return policy(Action.DENY, "deny", rules);
    }

    private static boolean http(Caller caller, RequestView request, AuthorizationPolicy... policies) {
        return Authorizer.of(List.of(policies))
                .http(caller, 9080)
                .decide(request)
                .allowed();
    }

    private static boolean get(String path, AuthorizationPolicy... policies) {
        return http(SLEEP, Request.of("GET", path), policies);
    }

    private static boolean tcp(Caller caller, int port, AuthorizationPolicy... policies) {
        return Authorizer.of(List.of(policies)).tcp(caller, port).allowed();
    }

    @Test
    void withoutPoliciesEverythingPasses() {
        assertTrue(get("/"));
        assertTrue(tcp(Caller.NONE, 1));
        assertEquals(Early.ALLOW, Authorizer.NONE.early(Caller.NONE, 80, AppProtocol.AUTO));
    }

    @Test
    void emptySpecsMeanWhatIstioSays() {
        assertFalse(get("/", allow()), "allow-nothing: spec {}");
        assertTrue(get("/", allow(new Rule(List.of(), List.of(), List.of()))), "allow-all: rules [{}]");
        assertFalse(get("/", deny(new Rule(List.of(), List.of(), List.of()))), "deny-all: rules [{}]");
        assertTrue(get("/", deny()), "a DENY without rules never matches");
        assertFalse(tcp(SLEEP, 1, allow()));
        assertTrue(tcp(SLEEP, 1, deny()));
    }

    @Test
    void denyIsAskedFirst() {
        AuthorizationPolicy everything = allow(new Rule(List.of(), List.of(), List.of()));
        assertFalse(get("/admin", everything, deny(to(paths("/admin")))));
        assertTrue(get("/", everything, deny(to(paths("/admin")))));
    }

    @Test
    void oneOfSeveralAllowsIsEnough() {
        AuthorizationPolicy a = policy(Action.ALLOW, "a", to(methods("GET")));
        AuthorizationPolicy b = policy(Action.ALLOW, "b", from(namespaces("foo")));
        assertTrue(http(SLEEP, Request.of("GET", "/"), a, b));
        assertTrue(http(CURL, Request.of("POST", "/"), a, b));
        assertFalse(http(SLEEP, Request.of("POST", "/"), a, b));
    }

    /** The example at the head of Istio's reference: sources, operations and conditions together. */
    @Test
    void istiosFirstExample() {
        AuthorizationPolicy policy = allow(new Rule(
                List.of(principals("cluster.local/ns/default/sa/sleep"), namespaces("dev")),
                List.of(methods("GET")),
                List.of(new Condition.Header("version", patterns("v1", "v2"), List.of()))));
        Request v1 = new Request("GET", "httpbin", "/", Map.of("version", List.of("v1")));
        Request v3 = new Request("GET", "httpbin", "/", Map.of("version", List.of("v3")));
        Request post = new Request("POST", "httpbin", "/", Map.of("version", List.of("v1")));
        assertTrue(http(SLEEP, v1, policy));
        assertTrue(http(new Caller("cluster.local/ns/dev/sa/x", "dev"), v1, policy));
        assertFalse(http(CURL, v1, policy));
        assertFalse(http(SLEEP, v3, policy));
        assertFalse(http(SLEEP, post, policy));
        assertFalse(http(SLEEP, Request.of("GET", "/"), policy));
    }

    @Test
    void fieldsOfOneSourceAreAllAsked() {
        Source both = new Source(patterns("*/sa/sleep"), List.of(), List.of(), patterns("foo"));
        assertTrue(http(SLEEP, Request.of("GET", "/"), allow(from(both))));
        assertFalse(
                http(new Caller("cluster.local/ns/foo/sa/sleep", "foo"), Request.of("GET", "/"), allow(from(both))));
    }

    @Test
    void aCallerWithoutIdentityMatchesNoName() {
        assertFalse(http(Caller.NONE, Request.of("GET", "/"), allow(from(principals("*")))));
        assertTrue(http(SLEEP, Request.of("GET", "/"), allow(from(principals("*")))));
        // Istio's way to refuse everybody without an identity.
        Source nobody = new Source(List.of(), patterns("*"), List.of(), List.of());
        assertFalse(http(Caller.NONE, Request.of("GET", "/"), deny(from(nobody))));
        assertTrue(http(SLEEP, Request.of("GET", "/"), deny(from(nobody))));
        assertFalse(http(Caller.NONE, Request.of("GET", "/"), allow(from(namespaces("*")))));
    }

    @Test
    void literalsAreNoRegularExpressions() {
        AuthorizationPolicy dots = allow(from(principals("cluster.local/ns/default/sa/a.b")));
        assertTrue(http(new Caller("cluster.local/ns/default/sa/a.b", "default"), Request.of("GET", "/"), dots));
        assertFalse(http(new Caller("cluster.local/ns/default/sa/axb", "default"), Request.of("GET", "/"), dots));
        assertFalse(get("/axc", allow(to(paths("/a.c")))));
        assertFalse(get("/aac", allow(to(paths("/a+c", "/[a-z]*c")))));
    }

    @Test
    void portsAreTheWorkloads() {
        AuthorizationPolicy one = allow(to(operation(List.of(9080), List.of(), List.of(), List.of(), List.of())));
        assertTrue(get("/", one));
        assertFalse(Authorizer.of(List.of(one))
                .http(SLEEP, 80)
                .decide(Request.of("GET", "/"))
                .allowed());
        AuthorizationPolicy condition = deny(when(new Condition.Port(List.of(), List.of(9080))));
        assertTrue(get("/", condition));
        assertFalse(tcp(SLEEP, 9081, condition));
    }

    @Test
    void hostsIgnoreCaseAndADenyIgnoresThePort() {
        Request upper = new Request("GET", "Reviews.Example:9080", "/", Map.of());
        assertTrue(http(SLEEP, upper, allow(to(hosts("reviews.example:*")))));
        assertTrue(http(SLEEP, upper, allow(to(hosts("reviews.example:9080")))));
        assertFalse(http(SLEEP, upper, allow(to(hosts("reviews.example")))), "compared as sent, as Istio does");
        assertFalse(http(SLEEP, upper, deny(to(hosts("reviews.example")))), "but no DENY is evaded by a port");
        Request dot = new Request("GET", "reviews.example.", "/", Map.of());
        assertFalse(http(SLEEP, dot, deny(to(hosts("reviews.example")))));
        assertFalse(http(SLEEP, dot, deny(to(hosts("*.example")))));
        assertTrue(http(SLEEP, dot, deny(to(hosts("*.other")))));
    }

    @Test
    void aFieldSentTwiceEvadesNothing() {
        AuthorizationPolicy users = allow(when(new Condition.Header("role", patterns("user"), List.of())));
        AuthorizationPolicy noAdmins = deny(when(new Condition.Header("role", patterns("admin"), List.of())));
        Request both = new Request("GET", "a", "/", Map.of("role", List.of("user", "admin")));
        Request twice = new Request("GET", "a", "/", Map.of("role", List.of("admin", "admin")));
        Request user = new Request("GET", "a", "/", Map.of("role", List.of("user")));
        assertFalse(http(SLEEP, both, users));
        assertFalse(http(SLEEP, both, noAdmins));
        assertFalse(http(SLEEP, twice, noAdmins));
        assertTrue(http(SLEEP, user, users));
        assertTrue(http(SLEEP, user, noAdmins));
    }

    @Test
    void absentFields() {
        Request bare = Request.of("GET", "/");
        assertFalse(http(SLEEP, bare, allow(when(new Condition.Header("x", patterns("*"), List.of())))));
        assertTrue(http(SLEEP, bare, allow(when(new Condition.Header("x", List.of(), patterns("a"))))));
        assertFalse(http(SLEEP, bare, deny(when(new Condition.Header("x", List.of(), patterns("a"))))));
        Request empty = new Request("GET", "a", "/", Map.of("x", List.of("")));
        assertTrue(http(SLEEP, empty, allow(when(new Condition.Header("x", patterns("*"), List.of())))));
    }

    /** Istio's task "Authorization for TCP traffic". */
    @Test
    void opaqueBytes() {
        Operation ports = operation(List.of(9000, 9001), List.of(), List.of(), List.of(), List.of());
        assertTrue(tcp(SLEEP, 9000, allow(to(ports))));
        assertFalse(tcp(SLEEP, 9002, allow(to(ports))));
        Operation get = operation(List.of(9000), patterns("GET"), List.of(), List.of(), List.of());
        assertFalse(tcp(SLEEP, 9000, allow(to(get))), "an ALLOW that asks for a method never matches bytes");
        assertFalse(tcp(SLEEP, 9000, deny(to(get))), "a DENY leaves the method out");
        assertTrue(tcp(SLEEP, 9001, deny(to(get))));
        AuthorizationPolicy header = deny(when(new Condition.Header("x", patterns("y"), List.of())));
        assertFalse(tcp(SLEEP, 9000, header));
        assertFalse(tcp(SLEEP, 9000, allow(when(new Condition.Header("x", patterns("y"), List.of())))));
    }

    @Test
    void whatIsSettledBeforeTheRequest() {
        AuthorizationPolicy byCaller = allow(from(principals("*/sa/sleep")));
        AuthorizationPolicy byPath = deny(to(paths("/admin")));
        assertEquals(Early.ALLOW, Authorizer.of(List.of(byCaller)).early(SLEEP, 1, AppProtocol.HTTP));
        assertEquals(Early.DENY, Authorizer.of(List.of(byCaller)).early(CURL, 1, AppProtocol.HTTP));
        assertEquals(Early.NEEDS_REQUEST, Authorizer.of(List.of(byPath)).early(CURL, 1, AppProtocol.HTTP));
        assertEquals(Early.DENY, Authorizer.of(List.of(byPath)).early(CURL, 1, AppProtocol.TCP));
        assertEquals(Early.NEEDS_REQUEST, Authorizer.of(List.of(byPath)).early(CURL, 1, AppProtocol.AUTO));
        assertEquals(Early.DENY, Authorizer.of(List.of(byCaller, byPath)).early(CURL, 1, AppProtocol.HTTP));
    }

    @Test
    void theVerdictNamesTheRule() {
        Authorizer authorizer = Authorizer.of(List.of(deny(to(methods("PUT")), to(paths("/x")))));
        Verdict verdict = authorizer.http(SLEEP, 9080).decide(Request.of("GET", "/x"));
        assertEquals("rbac_access_denied_matched_policy[ns[default]-policy[deny]-rule[1]]", verdict.details());
        assertEquals("rules[1] of DENY policy default/deny matches", verdict.reason());
        Verdict none = Authorizer.of(List.of(allow())).http(SLEEP, 9080).decide(Request.of("GET", "/x"));
        assertEquals("rbac_access_denied_matched_policy[none]", none.details());
        assertEquals("no rule of the ALLOW policy default/allow matches", none.reason());
    }

    /** No spelling of a forbidden path passes a DENY, none leads out of an ALLOW. */
    @Test
    void spellingsOfPaths() {
        List<String> admin = List.of(
                "/admin",
                "//admin",
                "/./admin",
                "/a/../admin",
                "/%61dmin",
                "/%41/../admin",
                "/admin;x=1",
                "/;x/admin",
                "/a/..;/admin",
                "/a/..;x=y/admin",
                "/a/%2e%2e/admin",
                "/a/%2E./admin",
                "/a/%252e%252e/admin",
                "/%2561dmin",
                "/%2Fadmin",
                "/x/..%2fadmin",
                "/\\admin",
                "/x\\..\\admin",
                "/x%5C..%5Cadmin",
                "/x/%2e%2e;a/admin",
                "/a//../../admin",
                "/x/..//admin");
        for (String path : admin) {
            assertFalse(get(path, deny(to(paths("/admin")))), path);
            assertFalse(get("/public/.." + path, allow(to(paths("/public/*")))), path);
            assertFalse(get(path, allow(to(notPaths("/admin")))), path);
        }
        for (String path : List.of("/%zz", "/%", "/%4", "/admin%00", "/%0d%0a", "/%c0%afadmin", "/%u0061dmin")) {
            assertFalse(get(path, deny(to(paths("/admin")))), path);
            assertFalse(get(path, allow(to(paths("*")))), path);
            assertTrue(get(path, deny(to(methods("PUT")))), "who does not ask for the path is not bothered by it");
        }
        for (String path : List.of(
                "/public/caf%C3%A9",
                "/public/c%23",
                "/public/a%20b",
                "/public/.well-known/x",
                "/public/a;v=1",
                "/public/100%25",
                "/public//x",
                "/public/%7Ename",
                "/public/a...b")) {
            assertTrue(get(path, allow(to(paths("/public/*")))), path);
            assertTrue(get(path, deny(to(paths("/admin*", "/public/x/y")))), path);
        }
        assertTrue(get("/caf%c3%a9", allow(to(paths("/caf%C3%A9")))));
        assertFalse(get("/caf\u00c3\u00a9", deny(to(paths("/caf%C3%A9")))));
    }

    @Test
    void readingsOfWhatIsPlainIsItself() {
        for (String path : List.of("/", "/a/b.c", "*", "/.well-known", "/a/...", "/a|b", "/~x/{y}")) {
            assertEquals(List.of(path), PathReadings.of(path), path);
        }
        assertEquals("/a/c", PathReadings.canonicalOf("/a//./b/../%63"));
        assertEquals("/caf%C3%A9", PathReadings.canonicalOf("/café"));
    }

    @Test
    void everyReadingIsCanonical() {
        Random random = new Random(7);
        String alphabet = "/.;%\\ab25eEfF+c";
        for (int i = 0; i < 20_000; i++) {
            StringBuilder path = new StringBuilder("/");
            for (int n = random.nextInt(12); n > 0; n--) {
                path.append(alphabet.charAt(random.nextInt(alphabet.length())));
            }
            List<String> readings = PathReadings.of(path.toString());
            for (String reading : readings) {
                assertTrue(reading.startsWith("/"), () -> path + " -> " + readings);
                assertTrue(readings.size() <= 40, () -> path + " -> " + readings);
                assertTrue(
                        !PathReadings.of(reading).isEmpty() || reading.contains("%25"), () -> path + " -> " + reading);
            }
        }
    }
}
