package dev.tulle.model;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.tulle.model.HeadFilter.Outcome;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

/** What the CORS filter decides, against what Envoy's does. */
class CorsPolicyTest {
    private static final CorsPolicy POLICY = new CorsPolicy(
            List.of(
                    new StringMatch.Exact("https://shop.example"),
                    new StringMatch.Prefix("http://local"),
                    new StringMatch.Regex("https://[a-z]+\\.example\\.org")),
            "GET,PUT",
            "x-one,x-two",
            "x-seen",
            "600",
            true,
            true);

    private static Outcome asked(CorsPolicy policy, String method, Map<String, List<String>> headers) {
        return policy.prepare().decide(new RouteTableTest.Request(method, "h", "/", "", headers));
    }

    private static Map<String, List<String>> from(String origin) {
        return Map.of("origin", List.of(origin));
    }

    private static Map<String, List<String>> preflight(String origin) {
        return Map.of(
                "origin",
                List.of(origin),
                "access-control-request-method",
                List.of("PATCH"),
                "access-control-request-headers",
                List.of("x-asked"));
    }

    private static String said(Outcome outcome) {
        Map<String, String> fields = new TreeMap<>();
        outcome.response()
                .set()
                .forEach(field -> fields.put(field.name().replace("access-control-", ""), field.value()));
        return outcome.status() + " " + fields;
    }

    @Test
    void callsOfAllowedOriginsAreMarked() {
        for (String origin : List.of("https://shop.example", "http://localhost:3000", "https://a.example.org")) {
            assertEquals(
                    "0 {allow-credentials=true, allow-origin=" + origin + ", expose-headers=x-seen}",
                    said(asked(POLICY, "GET", from(origin))));
        }
    }

    @Test
    void othersAreNot() {
        for (String origin : List.of("https://shop.example.evil", "https://a.b.example.org", "null", "*")) {
            assertEquals("0 {}", said(asked(POLICY, "GET", from(origin))), origin);
        }
        assertEquals("0 {}", said(asked(POLICY, "GET", Map.of())));
        assertEquals("0 {}", said(asked(POLICY, "GET", from(""))));
    }

    @Test
    void preflightsAreAnswered() {
        assertEquals(
                "200 {allow-credentials=true, allow-headers=x-one,x-two, allow-methods=GET,PUT,"
                        + " allow-origin=https://shop.example, expose-headers=x-seen, max-age=600}",
                said(asked(POLICY, "OPTIONS", preflight("https://shop.example"))));
        // An OPTIONS that asks for no method, and another method that does, are calls.
        assertEquals(0, asked(POLICY, "OPTIONS", from("https://shop.example")).status());
        assertEquals(0, asked(POLICY, "GET", preflight("https://shop.example")).status());
    }

    @Test
    void preflightsOfOthersGoOnOrAreAnsweredWithoutLeave() {
        assertEquals("0 {}", said(asked(POLICY, "OPTIONS", preflight("https://other"))));
        CorsPolicy ignoring = new CorsPolicy(POLICY.origins(), "GET", "", "x-seen", "", true, false);
        assertEquals(
                "200 {allow-credentials=true, allow-methods=GET}",
                said(asked(ignoring, "OPTIONS", preflight("https://other"))));
    }

    @Test
    void starsGiveBackWhatWasAskedFor() {
        CorsPolicy all = new CorsPolicy(List.of(new StringMatch.Exact("*")), "*", "*", "*", "", false, true);
        assertEquals(
                "200 {allow-headers=x-asked, allow-methods=PATCH, allow-origin=https://any, expose-headers=*}",
                said(asked(all, "OPTIONS", preflight("https://any"))));
        CorsPolicy none = new CorsPolicy(List.of(), "", "", "", "", false, true);
        assertEquals("0 {}", said(asked(none, "OPTIONS", preflight("https://any"))));
    }
}
