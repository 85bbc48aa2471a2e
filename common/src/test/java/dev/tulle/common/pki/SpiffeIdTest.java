package dev.tulle.common.pki;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** Identities as they are read and written; the rules are those of the SPIFFE-ID standard, sections 2.1 to 2.4. */
class SpiffeIdTest {
    @Test
    void whatIsReadIsWrittenTheSame() {
        for (String good : List.of(
                "spiffe://cluster.local",
                "spiffe://cluster.local/ns/default/sa/reviews",
                "spiffe://cluster.local/node/a.example",
                "spiffe://a",
                "spiffe://under_score-9.x/A/b-c/d_e/f.g/...",
                "spiffe://" + "a".repeat(255) + "/x",
                "spiffe://td/" + "x".repeat(2048 - "spiffe://td/".length()))) {
            assertEquals(good, SpiffeId.parse(good).toString());
        }
    }

    @Test
    void refusesEverythingElse() {
        for (String bad : List.of(
                "",
                "spiffe",
                "spiffe:",
                "spiffe:/td",
                "spiffe://",
                "spiffe:///path",
                "SPIFFE://td/x",
                "Spiffe://td/x",
                "http://td/x",
                " spiffe://td/x",
                "spiffe://td/x ",
                "spiffe://td/x\n",
                "spiffe://TD/x",
                "spiffe://tD",
                "spiffe://td:443/x",
                "spiffe://user@td/x",
                "spiffe://[::1]/x",
                "spiffe://t%64/x",
                "spiffe://t\u00e4/x",
                "spiffe://td/",
                "spiffe://td/x/",
                "spiffe://td//x",
                "spiffe://td/x//y",
                "spiffe://td/.",
                "spiffe://td/..",
                "spiffe://td/x/./y",
                "spiffe://td/x/../y",
                "spiffe://td/%2e%2e",
                "spiffe://td/x%2fy",
                "spiffe://td/x?y",
                "spiffe://td?y",
                "spiffe://td/x#y",
                "spiffe://td#y",
                "spiffe://td/x;y",
                "spiffe://td/x:y",
                "spiffe://td/x\\y",
                "spiffe://td/x\u0000",
                "spiffe://td\u0000.evil/x",
                "spiffe://td/\u00e4",
                "spiffe://td/\uff0e\uff0e",
                "spiffe://" + "a".repeat(256),
                "spiffe://td/" + "x".repeat(2049 - "spiffe://td/".length()))) {
            assertThrows(IllegalArgumentException.class, () -> SpiffeId.parse(bad), bad);
        }
    }

    @Test
    void anErrorShowsNothingInvisible() {
        String message = String.valueOf(assertThrows(
                        IllegalArgumentException.class,
                        () -> SpiffeId.parse("spiffe://td/a\u001b[31m\n" + "b".repeat(900)))
                .getMessage());
        assertTrue(message.chars().noneMatch(c -> c < ' '), message);
        assertTrue(message.length() < 400, message);
    }

    @Test
    void eachKindHasItsShape() {
        SpiffeId workload = SpiffeId.workload("cluster.local", "default", "reviews");
        assertEquals("spiffe://cluster.local/ns/default/sa/reviews", workload.toString());
        assertEquals("cluster.local/ns/default/sa/reviews", workload.principal());
        assertEquals(Optional.of(new SpiffeId.WorkloadName("default", "reviews")), workload.workload());
        assertEquals(Optional.empty(), workload.node());

        SpiffeId node = SpiffeId.node("cluster.local", "host-1.example");
        assertEquals("spiffe://cluster.local/node/host-1.example", node.toString());
        assertEquals(Optional.of("host-1.example"), node.node());
        assertFalse(node.isProxy());
        assertEquals(Optional.empty(), node.workload());

        SpiffeId proxy = SpiffeId.proxy("cluster.local", "host-1.example");
        assertEquals("spiffe://cluster.local/node/host-1.example/proxy", proxy.toString());
        assertEquals(Optional.of("host-1.example"), proxy.node());
        assertTrue(proxy.isProxy());

        assertTrue(SpiffeId.control("cluster.local").isControl());
        assertFalse(node.isControl());
    }

    @Test
    void aNodeOfTheNameProxyIsANode() {
        SpiffeId node = SpiffeId.node("td", "proxy");
        assertFalse(node.isProxy());
        assertEquals(Optional.of("proxy"), node.node());
        assertEquals(Optional.of("proxy"), SpiffeId.proxy("td", "proxy").node());
    }

    @Test
    void otherShapesAreNobodys() {
        for (String other : List.of(
                "spiffe://td",
                "spiffe://td/ns",
                "spiffe://td/ns/a",
                "spiffe://td/ns/a/sa",
                "spiffe://td/ns/a/sb/c",
                "spiffe://td/ns/a/sa/b/c",
                "spiffe://td/NS/a/sa/b",
                "spiffe://td/x/ns/a/sa/b",
                "spiffe://td/node",
                "spiffe://td/node/a/b",
                "spiffe://td/node/a/proxy/b",
                "spiffe://td/node/a/PROXY",
                "spiffe://td/control/a")) {
            SpiffeId id = SpiffeId.parse(other);
            assertEquals(Optional.empty(), id.workload(), other);
            assertEquals(Optional.empty(), id.node(), other);
            assertFalse(id.isProxy(), other);
            assertFalse(id.isControl(), other);
        }
    }

    @Test
    void aNameCannotLeadOutOfItsPlace() {
        for (String bad : List.of("", ".", "..", "a/b", "a/sa/b", "a%2fb", "a b", "a\n", "a:b", "\u00e4")) {
            assertThrows(IllegalArgumentException.class, () -> SpiffeId.workload("td", bad, "x"), bad);
            assertThrows(IllegalArgumentException.class, () -> SpiffeId.workload("td", "x", bad), bad);
            assertThrows(IllegalArgumentException.class, () -> SpiffeId.node("td", bad), bad);
            assertThrows(IllegalArgumentException.class, () -> SpiffeId.proxy("td", bad), bad);
        }
    }
}
