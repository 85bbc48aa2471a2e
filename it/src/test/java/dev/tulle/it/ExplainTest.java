package dev.tulle.it;

import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.testkit.Command;
import dev.tulle.testkit.MeshLab;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Proves that {@code tulle explain} names every step of a request and agrees with what a real one then does. */
@Tag("e2e")
class ExplainTest {
    private static final String ROUTES = """
            apiVersion: networking.istio.io/v1
            kind: DestinationRule
            metadata: {name: reviews, namespace: default}
            spec:
              host: reviews
              subsets:
              - {name: v1, labels: {version: v1}}
              - {name: v2, labels: {version: v2}}
            ---
            apiVersion: networking.istio.io/v1
            kind: VirtualService
            metadata: {name: reviews, namespace: default}
            spec:
              hosts: [reviews]
              http:
              - name: jason
                match: [{headers: {end-user: {exact: jason}}}]
                route: [{destination: {host: reviews, subset: v2}}]
              - name: everyone
                route: [{destination: {host: reviews, subset: v1}}]
            """;

    @Test
    void explanationAndRequestAgree() throws Exception {
        try (MeshLab lab = MeshLab.start(null)) {
            for (String version : List.of("v1", "v2")) {
                lab.workload(
                        "reviews-" + version,
                        List.of("--service", "reviews", "--label", "version=" + version, "--port", "http:9080"),
                        List.of("python3", lab.program("server.py").toString(), version, "9080"));
            }
            lab.workload(
                    "bytes",
                    List.of("--service", "bytes", "--port", "tcp:7000"),
                    List.of("python3", lab.program("transfer.py").toString(), "serve", "7000"));
            lab.workload("productpage", List.of("--service", "productpage"), List.of("sleep", "300"));
            lab.apply("routes", ROUTES);
            lab.await(
                    "both versions serve",
                    Duration.ofSeconds(20),
                    () -> asked(lab, "jason").equals("v2") && asked(lab, "anna").equals("v1"));

            for (String user : List.of("jason", "anna")) {
                String version = asked(lab, user);
                Command.Result explanation = lab.tulle(
                                "explain",
                                "--from",
                                "productpage",
                                "--to",
                                "http://reviews:9080/",
                                "--header",
                                "end-user: " + user)
                        .ok();
                for (String part : List.of(
                        "productpage",
                        "reviews.default.svc.cluster.local",
                        user.equals("jason") ? "jason" : "everyone",
                        "VirtualService default/reviews",
                        "outbound|9080|" + version + "|reviews.default.svc.cluster.local",
                        "reviews-" + version,
                        "proxy")) {
                    assertTrue(explanation.out().contains(part), part + " in " + explanation);
                }
            }
            Command.Result bytes = lab.tulle("explain", "--from", "productpage", "--to", "bytes:7000")
                    .ok();
            assertTrue(bytes.out().toLowerCase(java.util.Locale.ROOT).contains("kernel"), bytes.toString());
            Command.Result nobody = lab.tulle("explain", "--from", "productpage", "--to", "http://nobody:9080/")
                    .run();
            assertTrue(nobody.out().contains("none has the name or address nobody"), nobody.toString());
        }
    }

    private static String asked(MeshLab lab, String user) {
        try {
            String out = lab.in("c", "curl", "-s", "-m", "3", "-H", "end-user: " + user, "http://reviews:9080/")
                    .run()
                    .out();
            return out.split(" ", 2)[0];
        } catch (Exception e) {
            throw new AssertionError(e);
        }
    }
}
