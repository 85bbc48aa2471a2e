package dev.tulle.it;

import java.io.IOException;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;

/** Configurations that a tired person, a broken editor or an attacker might leave in the configuration directory. */
final class BrokenManifests {
    private BrokenManifests() {}

    /**
     * One of them.
     *
     * @param name for messages and file names
     * @param content the file's text in {@code charset}
     * @param expected what the report must contain, besides the file's name and a line number
     */
    record Broken(String name, String content, Charset charset, List<String> expected) {
        void write(Path file) throws IOException {
            Files.writeString(file, content, charset);
        }
    }

    private static final String HEAD =
            "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: broken, namespace: default}\n";
    private static final String RULE =
            "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: broken, namespace: default}\n";
    private static final String ROUTE = "  - route: [{destination: {host: web}}]\n";

    static List<Broken> all() {
        byte[] junk = new byte[4096];
        new Random(7).nextBytes(junk);
        String big = "# " + "x".repeat(10 << 20) + "\n";
        StringBuilder bomb = new StringBuilder("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
        for (int i = 1; i < 12; i++) {
            bomb.append("a%d: &a%d [*a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d]\n"
                    .formatted(i, i, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1));
        }
        return List.of(
                text("wrong-type-hosts", HEAD + "spec:\n  hosts: 7\n  http:\n" + ROUTE, "spec.hosts", "7"),
                text(
                        "wrong-type-weight",
                        HEAD
                                + "spec:\n  hosts: [web]\n  http:\n  - route: [{destination: {host: web}, weight: much}]\n",
                        "weight",
                        "much"),
                text(
                        "wrong-type-match",
                        HEAD
                                + "spec:\n  hosts: [web]\n  http:\n  - match: {uri: {exact: /}}\n    route: [{destination: {host: web}}]\n",
                        "match"),
                text(
                        "unknown-field",
                        HEAD + "spec:\n  hosts: [web]\n  http:\n  - rout: [{destination: {host: web}}]\n",
                        "rout"),
                text("unknown-top-field", HEAD + "specs:\n  hosts: [web]\n", "specs"),
                text(
                        "unknown-match",
                        HEAD
                                + "spec:\n  hosts: [web]\n  http:\n  - match: [{uri: {suffix: /a}}]\n    route: [{destination: {host: web}}]\n",
                        "suffix"),
                text(
                        "unknown-kind",
                        "apiVersion: networking.istio.io/v1\nkind: VirtualServise\nmetadata: {name: a}\nspec: {}\n",
                        "VirtualServise"),
                text(
                        "unknown-version",
                        "apiVersion: networking.istio.io/v9\nkind: VirtualService\nmetadata: {name: a}\nspec: {}\n",
                        "v9"),
                text("no-kind", "apiVersion: networking.istio.io/v1\nmetadata: {name: a}\n", "kind"),
                text(
                        "no-name",
                        "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {namespace: default}\nspec:\n  hosts: [web]\n  http:\n"
                                + ROUTE,
                        "name"),
                text(
                        "bad-name",
                        "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: ../../etc, namespace: default}\nspec:\n  hosts: [web]\n  http:\n"
                                + ROUTE,
                        "../../etc"),
                text(
                        "duplicate-name",
                        HEAD + "spec:\n  hosts: [twin]\n  http:\n" + ROUTE + "---\n" + HEAD
                                + "spec:\n  hosts: [twin]\n  http:\n" + ROUTE,
                        "duplicate"),
                text("duplicate-key", HEAD + "spec:\n  hosts: [web]\n  hosts: [other]\n", "hosts"),
                text(
                        "dangling-subset",
                        HEAD + "spec:\n  hosts: [web]\n  http:\n  - route: [{destination: {host: web, subset: v9}}]\n",
                        "v9"),
                text(
                        "bad-regex",
                        HEAD
                                + "spec:\n  hosts: [web]\n  http:\n  - match: [{uri: {regex: \"a(b\"}}]\n    route: [{destination: {host: web}}]\n",
                        "a(b"),
                text(
                        "lookaround-regex",
                        HEAD
                                + "spec:\n  hosts: [web]\n  http:\n  - match: [{headers: {cookie: {regex: \"(?=a)b\"}}}]\n    route: [{destination: {host: web}}]\n",
                        "(?=a)b"),
                text(
                        "negative-weight",
                        HEAD + "spec:\n  hosts: [web]\n  http:\n  - route: [{destination: {host: web}, weight: -1}]\n",
                        "-1"),
                text(
                        "port-too-high",
                        HEAD
                                + "spec:\n  hosts: [web]\n  http:\n  - route: [{destination: {host: web, port: {number: 70000}}}]\n",
                        "70000"),
                text("no-hosts", HEAD + "spec:\n  http:\n" + ROUTE, "hosts"),
                text("empty-hosts", HEAD + "spec:\n  hosts: []\n  http:\n" + ROUTE, "hosts"),
                text(
                        "bad-duration",
                        HEAD
                                + "spec:\n  hosts: [web]\n  http:\n  - timeout: soon\n    route: [{destination: {host: web}}]\n",
                        "soon"),
                text(
                        "negative-duration",
                        HEAD
                                + "spec:\n  hosts: [web]\n  http:\n  - timeout: -3s\n    route: [{destination: {host: web}}]\n",
                        "-3s"),
                text(
                        "bad-percentage",
                        HEAD
                                + "spec:\n  hosts: [web]\n  http:\n  - fault: {abort: {httpStatus: 500, percentage: {value: 140}}}\n    route: [{destination: {host: web}}]\n",
                        "140"),
                text(
                        "bad-status",
                        HEAD
                                + "spec:\n  hosts: [web]\n  http:\n  - fault: {abort: {httpStatus: 9000, percentage: {value: 10}}}\n    route: [{destination: {host: web}}]\n",
                        "9000"),
                text(
                        "bad-method",
                        HEAD
                                + "spec:\n  hosts: [web]\n  http:\n  - match: [{method: {exact: \"GE T\"}}]\n    route: [{destination: {host: web}}]\n",
                        "GE T"),
                text(
                        "two-matchers",
                        HEAD
                                + "spec:\n  hosts: [web]\n  http:\n  - match: [{uri: {exact: /a, prefix: /b}}]\n    route: [{destination: {host: web}}]\n",
                        "uri"),
                text(
                        "unsupported-tls",
                        HEAD
                                + "spec:\n  hosts: [web]\n  tls:\n  - match: [{port: 443, sniHosts: [web]}]\n    route: [{destination: {host: web}}]\n",
                        "tls"),
                text(
                        "no-action",
                        HEAD + "spec:\n  hosts: [web]\n  http:\n  - match: [{uri: {exact: /a}}]\n",
                        "http[0]"),
                text(
                        "bad-label",
                        RULE + "spec:\n  host: web\n  subsets: [{name: v1, labels: {version: [1]}}]\n",
                        "labels"),
                text(
                        "duplicate-subset",
                        RULE
                                + "spec:\n  host: web\n  subsets: [{name: v1, labels: {a: b}}, {name: v1, labels: {a: c}}]\n",
                        "v1"),
                text(
                        "bad-balancer",
                        RULE + "spec:\n  host: web\n  trafficPolicy: {loadBalancer: {simple: FASTEST}}\n",
                        "FASTEST"),
                text(
                        "bad-address",
                        "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {name: broken, namespace: default}\nspec:\n  hosts: [out.example]\n  ports: [{number: 80, name: http, protocol: HTTP}]\n  resolution: STATIC\n  endpoints: [{address: 300.1.2.3}]\n",
                        "300.1.2.3"),
                text("tabs", HEAD + "spec:\n\thosts: [web]\n", "tab"),
                text("half-written", HEAD + "spec:\n  hosts: [web\n"),
                text("alias-bomb", bomb.toString(), "alias"),
                text("ten-megabytes", big),
                new Broken(
                        "binary-junk",
                        new String(junk, StandardCharsets.ISO_8859_1),
                        StandardCharsets.ISO_8859_1,
                        List.of()));
    }

    private static Broken text(String name, String content, String... expected) {
        // A name for each, so that hot reload does not see one resource many times.
        return new Broken(
                name,
                content.replace("name: broken,", "name: " + name + ","),
                StandardCharsets.UTF_8,
                List.of(expected));
    }
}
