package dev.tulle.common;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.junit.jupiter.api.Test;

/** Addresses and networks as they are read and written. */
class IpTest {
    @Test
    void readsAddressesStrictly() {
        assertEquals("100.64.3.1", Ip.text4(Ip.number("100.64.3.1")));
        for (String bad : List.of("", "1.2.3", "1.2.3.4.5", "1.2.3.256", "01.2.3.4", "1.2.3.4 ", "a.b.c.d", "127.1")) {
            assertTrue(Ip.parse(bad).isEmpty(), bad);
        }
        assertEquals("fd74:756c:6c65::6440:30a", Ip.twin("fd74:756c:6c65::", Ip.number("100.64.3.10")));
        assertEquals(
                "fd74:756c:6c65::6440:30a",
                Ip.text(Ip.parse("fd74:756c:6c65::100.64.3.10").orElseThrow()));
        assertEquals("::1", Ip.text(Ip.parse("::1").orElseThrow()));
        assertEquals("1:0:2::3", Ip.text(Ip.parse("1:0:2:0:0:0:0:3").orElseThrow()));
        assertEquals("10.1.2.3", Ip.textOfMapped(Ip.mapped("10.1.2.3")));
    }

    @Test
    void readsNetworks() {
        Cidr range = Cidr.of("range", "100.64.0.0/10");
        assertTrue(range.contains("100.127.255.255"));
        assertFalse(range.contains("100.128.0.0"));
        assertTrue(range.contains(Cidr.of("prefix", "100.64.3.0/24")));
        assertEquals(256, Cidr.of("prefix", "100.64.3.0/24").size());
        for (String bad : List.of("100.64.0.1/10", "100.64.0.0", "100.64.0.0/33", "x/10", "100.64.0.0/-1")) {
            assertTrue(Cidr.parse(bad).isEmpty(), bad);
        }
    }

    @Test
    void findsTheNetworkAroundAnAddress() {
        assertEquals(Cidr.of("range", "100.64.0.0/10"), Cidr.around("range", "100.65.3.9/10"));
        for (String bad : List.of("", "100.64.0.0", "100.64.0.0/33", "100.64.0.0/-1", "x/8", "fd00::/8", "1.2.3/8")) {
            IllegalArgumentException refusal =
                    assertThrows(IllegalArgumentException.class, () -> Cidr.around("range", bad), bad);
            assertTrue(String.valueOf(refusal.getMessage()).startsWith("range: expected"), bad);
        }
    }

    @Test
    void dividesANetwork() {
        Cidr range = Cidr.of("range", "100.64.0.0/10");
        assertEquals(1 << 14, range.parts(24));
        assertEquals("100.64.0.0/24", range.part(24, 0).toString());
        assertEquals("100.127.255.0/24", range.part(24, (1 << 14) - 1).toString());
    }
}
