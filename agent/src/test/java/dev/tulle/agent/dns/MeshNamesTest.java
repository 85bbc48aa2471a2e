package dev.tulle.agent.dns;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.List;
import java.util.stream.Collectors;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The table of names: what each form means to a caller in namespace shop on a host with search domain corp.example. */
class MeshNamesTest {
    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "reviews | shop/reviews.shop.svc.cluster.local | false",
                "Reviews. | shop/reviews.shop.svc.cluster.local | false",
                "reviews.default | default/reviews.default.svc.cluster.local shop/reviews.default default/reviews.default"
                        + " | false",
                "reviews.default.svc | default/reviews.default.svc.cluster.local | true",
                "reviews.default.svc.cluster.local | default/reviews.default.svc.cluster.local | true",
                "a.b.reviews.svc.cluster.local | '' | true",
                "reviews.svc.cluster.local | '' | true",
                "reviews.corp.example | shop/reviews.shop.svc.cluster.local shop/reviews.corp.example"
                        + " default/reviews.corp.example | false",
                "httpbin.example.org | shop/httpbin.example.org default/httpbin.example.org | false",
                "bad name | '' | false",
                "'' | '' | false",
            })
    void means(String name, String candidates, boolean meshOnly) {
        MeshNames.Meaning meaning =
                new MeshNames("cluster.local").of(DnsName.of(name), "shop", List.of("corp.example"));
        assertEquals(
                candidates,
                meaning.candidates().stream()
                        .map(candidate -> candidate.namespace() + "/" + candidate.hostname())
                        .collect(Collectors.joining(" ")));
        assertEquals(meshOnly, meaning.meshOnly());
    }
}
