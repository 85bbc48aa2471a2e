package dev.tulle.kernel;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.net.InetAddress;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Supplier;
import java.util.random.RandomGenerator;
import java.util.random.RandomGeneratorFactory;
import org.junit.jupiter.api.Test;

/** Goal: netlink answers of any bytes are understood or refused, and nothing is read beyond their end. */
class NetlinkTest {
    private static final int NEWADDR = 20;
    private static final int NEWROUTE = 24;
    private static final String ACTION = "test";

    @Test
    void aDatagramIsSplitIntoItsMessages() {
        ByteBuffer datagram = buffer(64);
        header(datagram, 17, 99, 2, 7).put((byte) 42).position(20);
        header(datagram, 16, Netlink.NLMSG_DONE, 2, 7);
        List<Netlink.Message> found = Netlink.messages(datagram.flip(), ACTION);
        assertEquals(2, found.size());
        assertEquals(99, found.getFirst().type());
        assertEquals(7, found.getFirst().number());
        assertEquals(1, found.getFirst().body().limit());
        assertEquals(42, found.getFirst().body().get(0));
        assertEquals(Netlink.NLMSG_DONE, found.getLast().type());
        assertEquals(0, found.getLast().body().limit());
        assertEquals(List.of(), Netlink.messages(buffer(0), ACTION));
    }

    @Test
    void lengthsThatCannotBeAreRefused() {
        for (int length : new int[] {Integer.MIN_VALUE, -1, 0, 15, 33, 1 << 20, Integer.MAX_VALUE}) {
            ByteBuffer datagram = buffer(32);
            header(datagram, length, NEWADDR, 2, 1);
            BpfException e = assertThrows(
                    BpfException.class, () -> Netlink.messages(datagram.clear(), ACTION), () -> "" + length);
            assertTrue(String.valueOf(e.getMessage()).contains("message of " + length + " bytes"), e.getMessage());
        }
        assertThrows(BpfException.class, () -> Netlink.messages(buffer(9), ACTION));
    }

    @Test
    void anAttributeThatEndsBeyondItsMessageEndsTheAttributes() {
        ByteBuffer body = buffer(20);
        body.putShort((short) 6).putShort((short) 0x8001).put(new byte[] {1, 2, 0, 0});
        body.putShort((short) 13).putShort((short) 2);
        assertEquals(Set.of(1), message(NEWADDR, body.clear()).attributes(0).keySet());
        body.putShort(8, (short) 3);
        assertEquals(Set.of(1), message(NEWADDR, body).attributes(0).keySet());
        body.putShort(8, (short) 12);
        assertEquals(Set.of(1, 2), message(NEWADDR, body).attributes(0).keySet());
        assertEquals(Map.of(), message(NEWADDR, body).attributes(18));
    }

    @Test
    void anAddress() {
        Netlink.Message message = message(NEWADDR, address(32, 3, 4));
        assertEquals(Optional.of(IpPrefix.of("192.0.2.9/32")), RouteNetlink.address(message, 3, ACTION));
        assertEquals(Optional.empty(), RouteNetlink.address(message, 2, ACTION));
        refused(address(33, 3, 4));
        refused(address(24, 3, 3));
        refused(address(24, 3, 4).limit(8));
        refused(address(24, 3, 4).limit(7));
        assertThrows(
                BpfException.class,
                () -> RouteNetlink.address(message(NEWROUTE, address(32, 3, 4)), 3, ACTION),
                "another type");
        ByteBuffer other = address(24, 3, 4).put(0, (byte) 12);
        assertEquals(Optional.empty(), RouteNetlink.address(message(NEWADDR, other), 3, ACTION));
    }

    @Test
    void aRouteInATableOfALargeNumber() {
        ByteBuffer body = buffer(12 + 3 * 8);
        body.put((byte) Netlink.AF_INET).put((byte) 24).put(new byte[5]).put((byte) RouteNetlink.Route.LOCAL);
        body.putInt(0);
        attribute(body, 1, new byte[] {(byte) 198, 51, 100, 0});
        body.putShort((short) 8).putShort((short) 4).putInt(5);
        body.putShort((short) 8).putShort((short) 15).putInt(1000);
        IpPrefix network = IpPrefix.of("198.51.100.0/24");
        assertEquals(
                Optional.of(new RouteNetlink.Route(network, RouteNetlink.Route.LOCAL, 1000, Optional.empty())),
                RouteNetlink.route(message(NEWROUTE, body), 5, ACTION));
        assertEquals(Optional.empty(), RouteNetlink.route(message(NEWROUTE, body), 4, ACTION));
        body.putInt(8, 0x200);
        assertEquals(Optional.empty(), RouteNetlink.route(message(NEWROUTE, body), 5, ACTION), "a cached copy");
    }

    @Test
    void aMappedIpv6AddressIsNoIpv4Address() {
        ByteBuffer body = buffer(8 + 20);
        body.put((byte) Netlink.AF_INET6).put((byte) 128).putShort((short) 0).putInt(1);
        byte[] mapped = new byte[16];
        mapped[10] = mapped[11] = (byte) 0xff;
        attribute(body, 1, mapped);
        IpPrefix found = RouteNetlink.address(message(NEWADDR, body), 1, ACTION).orElseThrow();
        assertTrue(found.isV6(), found.toString());
    }

    @Test
    void answersOfAnyBytesAreParsedOrRefused() {
        RandomGenerator random = RandomGeneratorFactory.of("L64X128MixRandom").create(20261121);
        for (int i = 0; i < 50_000; i++) {
            byte[] bytes = new byte[random.nextInt(220)];
            random.nextBytes(bytes);
            ByteBuffer body = ByteBuffer.wrap(bytes).order(ByteOrder.nativeOrder());
            if (bytes.length > 12 && random.nextBoolean()) {
                body.put(0, (byte) (random.nextBoolean() ? Netlink.AF_INET : Netlink.AF_INET6));
                body.put(1, (byte) random.nextInt(34)).putInt(4, 1);
                for (int at = 12; at + 4 <= bytes.length; at += 8) {
                    body.putShort(at, (short) random.nextInt(24)).putShort(at + 2, (short) random.nextInt(23));
                }
            }
            tried(() -> SockDiag.parse(message(random.nextInt(24), body), ACTION));
            tried(() -> RouteNetlink.address(message(NEWADDR, body), 1, ACTION));
            tried(() -> RouteNetlink.route(message(NEWROUTE, body), 0, ACTION));
            tried(() -> Netlink.messages(body, ACTION));
        }
    }

    @Test
    void prefixesAreReadStrictly() throws Exception {
        assertEquals(new IpPrefix(InetAddress.ofLiteral("2001:db8::1"), 64), IpPrefix.of("2001:db8::1/64"));
        assertEquals("2001:db8::1/64", IpPrefix.of("2001:db8:0::1/64").toString());
        assertTrue(IpPrefix.host(InetAddress.ofLiteral("192.0.2.1")).isHost());
        for (String text : List.of("", "192.0.2.1", "192.0.2.1/33", "2001:db8::/129", "a/1", "192.0.2.1/-1", "::/1x")) {
            assertThrows(IllegalArgumentException.class, () -> IpPrefix.of(text), text);
        }
    }

    private static void refused(ByteBuffer body) {
        BpfException e = assertThrows(
                BpfException.class, () -> RouteNetlink.address(message(NEWADDR, body), 3, "list the addresses"));
        assertTrue(
                String.valueOf(e.getMessage()).startsWith("cannot list the addresses: the answer has"), e.getMessage());
    }

    private static void tried(Supplier<?> parser) {
        try {
            assertNotNull(parser.get());
        } catch (BpfException e) {
            assertNotNull(e.getMessage());
        }
    }

    private static ByteBuffer address(int bits, int index, int size) {
        ByteBuffer body = buffer(8 + 8);
        body.put((byte) Netlink.AF_INET).put((byte) bits).putShort((short) 0).putInt(index);
        body.putShort((short) (4 + size)).putShort((short) 2).put(new byte[] {(byte) 192, 0, 2, 9});
        return body;
    }

    private static void attribute(ByteBuffer body, int type, byte[] value) {
        body.putShort((short) (4 + value.length)).putShort((short) type).put(value);
    }

    private static Netlink.Message message(int type, ByteBuffer body) {
        return new Netlink.Message(type, 0, 1, body);
    }

    private static ByteBuffer header(ByteBuffer datagram, int length, int type, int flags, int number) {
        datagram.putInt(length).putShort((short) type).putShort((short) flags);
        return datagram.putInt(number).putInt(0);
    }

    private static ByteBuffer buffer(int size) {
        return ByteBuffer.allocate(size).order(ByteOrder.nativeOrder());
    }
}
