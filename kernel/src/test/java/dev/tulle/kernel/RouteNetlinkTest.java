package dev.tulle.kernel;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.kernel.RouteNetlink.Route;
import java.net.InetAddress;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.TreeSet;
import java.util.concurrent.Callable;
import java.util.function.Predicate;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.function.Executable;

/** Goal: what is made on lo is what {@code ip} makes, what is listed is what {@code ip} prints, and it all goes again. */
@Timeout(60)
class RouteNetlinkTest {
    private static final int LO = RouteNetlink.LOOPBACK;
    /** Ranges of this test alone: the one for benchmarks, and a unique local one. */
    private static final String RANGE = "198.18.91.";

    private static final String RANGE6 = "fdc6:125b:91:";
    private static final IpPrefix HOST = IpPrefix.of(RANGE + "1/32");
    private static final IpPrefix HOST6 = IpPrefix.of(RANGE6 + ":1/128");
    private static final Route LOCAL = Route.local(IpPrefix.of(RANGE + "0/25"), HOST.address());
    private static final Route LOCAL6 = Route.local(IpPrefix.of(RANGE6 + ":300/120"), HOST6.address());
    private static final Route LINK = Route.link(IpPrefix.of(RANGE + "128/25"), InetAddress.ofLiteral("127.0.0.1"));

    private final RouteNetlink netlink = RouteNetlink.open();

    @BeforeEach
    void clean() throws Exception {
        // Left by a run that was killed.
        remove();
    }

    @AfterEach
    void close() throws Exception {
        remove();
        netlink.close();
        assertEquals(List.of(), inRange(ipAddresses()));
        assertEquals(List.of(), inRange(ipRoutes()));
    }

    private void remove() {
        List.of(LOCAL, LOCAL6, LINK).forEach(route -> netlink.deleteRoute(LO, route));
        for (IpPrefix address : netlink.addresses(LO)) {
            if (address.toString().startsWith(RANGE) || address.toString().startsWith(RANGE6)) {
                netlink.deleteAddress(LO, address);
            }
        }
    }

    @Test
    void makesWhatIpMakes() throws Exception {
        ip("addr add " + HOST + " dev lo");
        ip("addr add " + HOST6 + " dev lo nodad");
        ip("route replace local " + LOCAL.destination() + " dev lo src " + RANGE + "1");
        ip("-6 route replace local " + LOCAL6.destination() + " dev lo src " + RANGE6 + ":1");
        ip("route replace " + LINK.destination() + " dev lo src 127.0.0.1");
        List<String> addresses = inRange(ipAddresses());
        assertEquals(2, addresses.size(), addresses.toString());
        // Each address brings routes of its own: one with IPv4, two with IPv6, of which the local one comes when the
        // kernel
        // finds time for it.
        List<String> routes = eventually(() -> inRange(ipRoutes()), found -> found.size() == 3 + 3);
        assertListed();

        remove();
        assertEquals(List.of(), inRange(ipAddresses()));
        assertEquals(List.of(), inRange(ipRoutes()));

        make();
        assertEquals(addresses, inRange(ipAddresses()));
        eventually(() -> inRange(ipRoutes()), routes::equals);
        assertListed();
    }

    @Test
    void whatIsThereOrGoneAlreadyIsNoFailure() throws Exception {
        make();
        assertFalse(netlink.addAddress(LO, HOST));
        assertFalse(netlink.addAddress(LO, HOST6));
        netlink.replaceRoute(LO, LOCAL);
        netlink.replaceRoute(LO, LOCAL6);
        assertEquals(1, netlink.routes4(LO).stream().filter(LOCAL::equals).count());
        assertEquals(1, netlink.routes6(LO).stream().filter(LOCAL6::equals).count());
        for (Route route : List.of(LOCAL, LOCAL6, LINK)) {
            assertTrue(netlink.deleteRoute(LO, route), route.toString());
            assertFalse(netlink.deleteRoute(LO, route), route.toString());
        }
        for (IpPrefix address : List.of(HOST, HOST6)) {
            assertTrue(netlink.deleteAddress(LO, address), address.toString());
            assertFalse(netlink.deleteAddress(LO, address), address.toString());
        }
    }

    @Test
    void refusalsSayWhatAndWhy() {
        Route route = Route.local(LOCAL.destination(), InetAddress.ofLiteral("198.18.91.77"));
        BpfException e = assertThrows(BpfException.class, () -> netlink.replaceRoute(LO, route));
        assertEquals(
                "cannot set the route local 198.18.91.0/25 table 255 src 198.18.91.77 to interface 1:"
                        + " EINVAL (invalid argument)",
                e.getMessage());
        assertThrows(BpfException.class, () -> netlink.addAddress(987_654, HOST));
    }

    @Test
    void listsLongerThanOneDatagram() throws Exception {
        List<IpPrefix> many = new ArrayList<>();
        for (int i = 1; i <= 254; i++) {
            many.add(IpPrefix.of(RANGE + i + "/32"));
            many.add(IpPrefix.of(RANGE6 + ":" + Integer.toHexString(i) + "/128"));
        }
        many.forEach(address -> assertTrue(netlink.addAddress(LO, address)));
        assertTrue(netlink.addresses(LO).containsAll(many));
        List<IpPrefix> four = many.stream().filter(address -> !address.isV6()).toList();
        List<IpPrefix> six = many.stream().filter(IpPrefix::isV6).toList();
        assertTrue(localHosts(netlink.routes4(LO)).containsAll(four));
        eventually(() -> localHosts(netlink.routes6(LO)), found -> found.containsAll(six));
    }

    /** Only a kernel that heeds the request's filter looks for the interface. */
    @Test
    void theKernelFilters() {
        for (Executable list : List.<Executable>of(
                () -> netlink.routes4(987_654), () -> netlink.routes6(987_654), () -> netlink.addresses(987_654))) {
            assertEquals(19, assertThrows(BpfException.class, list).errno(), "ENODEV");
        }
    }

    /** What is found once it is as it is to be; fails with what it is after ten seconds. */
    private static <T> T eventually(Callable<T> look, Predicate<T> wanted) throws Exception {
        T found = look.call();
        for (int i = 0; i < 500 && !wanted.test(found); i++) {
            Thread.sleep(20);
            found = look.call();
        }
        assertTrue(wanted.test(found), String.valueOf(found));
        return found;
    }

    private static List<IpPrefix> localHosts(List<Route> routes) {
        return routes.stream()
                .filter(route -> route.type() == Route.LOCAL && route.table() == Route.LOCAL_TABLE)
                .map(Route::destination)
                .toList();
    }

    private void make() {
        assertTrue(netlink.addAddress(LO, HOST));
        assertTrue(netlink.addAddress(LO, HOST6));
        netlink.replaceRoute(LO, LOCAL);
        netlink.replaceRoute(LO, LOCAL6);
        netlink.replaceRoute(LO, LINK);
    }

    /** What is listed is what ip prints, apart from what it prints beside. */
    private void assertListed() throws Exception {
        TreeSet<String> addresses = new TreeSet<>();
        for (String line : inRange(ipAddresses())) {
            addresses.add(line.split(" +")[3]);
        }
        TreeSet<String> ours = new TreeSet<>();
        netlink.addresses(LO).forEach(address -> ours.add(address.toString()));
        ours.removeIf(address -> !address.startsWith(RANGE) && !address.startsWith(RANGE6));
        assertEquals(addresses, ours);

        TreeSet<String> routes = new TreeSet<>();
        for (String line : inRange(ipRoutes())) {
            List<String> words = Arrays.asList(line.split(" +"));
            String destination = words.get(1).contains("/")
                    ? words.get(1)
                    : IpPrefix.host(InetAddress.ofLiteral(words.get(1))).toString();
            int source = words.indexOf("src");
            routes.add(new Route(
                            IpPrefix.of(destination),
                            words.get(0).equals("local") ? Route.LOCAL : Route.UNICAST,
                            words.get(words.indexOf("table") + 1).equals("local")
                                    ? Route.LOCAL_TABLE
                                    : Route.MAIN_TABLE,
                            source < 0 ? Optional.empty() : Optional.of(InetAddress.ofLiteral(words.get(source + 1))))
                    .toString());
        }
        TreeSet<String> listed = new TreeSet<>();
        netlink.routes4(LO).forEach(route -> listed.add(route.toString()));
        netlink.routes6(LO).forEach(route -> listed.add(route.toString()));
        listed.removeIf(route -> !route.contains(RANGE) && !route.contains(RANGE6));
        assertEquals(routes, listed);
    }

    private static List<String> ipAddresses() throws Exception {
        return ip("-o -d addr show dev lo");
    }

    private static List<String> ipRoutes() throws Exception {
        List<String> routes = new ArrayList<>(ip("-d -4 route show table all dev lo"));
        routes.addAll(ip("-d -6 route show table all dev lo"));
        return routes;
    }

    private static List<String> inRange(List<String> lines) {
        return lines.stream()
                .filter(line -> line.contains(RANGE) || line.contains(RANGE6))
                .sorted()
                .toList();
    }

    private static List<String> ip(String arguments) throws Exception {
        List<String> command = new ArrayList<>(List.of("ip"));
        command.addAll(List.of(arguments.split(" ")));
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertEquals(0, process.waitFor(), () -> command + ": " + output);
        return output.lines().toList();
    }
}
