package dev.tulle.agent.enrol;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonParser;
import dev.tulle.agent.host.Cgroups;
import dev.tulle.common.Cidr;
import dev.tulle.common.Ip;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Leases over their whole life, on a directory that stands for the cgroup hierarchy, with an own clock. */
class EnrolmentsTest {
    private static final Cidr RANGE = Cidr.of("range", "100.80.0.0/16");
    private static final Cidr PREFIX = Cidr.of("prefix", "100.80.3.0/24");

    @TempDir
    Path dir;

    private final List<String> heard = new ArrayList<>();
    private Instant now = Instant.parse("2026-11-21T04:00:00Z");
    private Path mount = Path.of("");

    @BeforeEach
    void makeHierarchy() throws IOException {
        mount = Files.createDirectories(dir.resolve("cgroup"));
    }

    private Enrolments enrolments() throws IOException {
        Clock clock = new Clock() {
            @Override
            public ZoneOffset getZone() {
                return ZoneOffset.UTC;
            }

            @Override
            public Clock withZone(java.time.ZoneId zone) {
                return this;
            }

            @Override
            public Instant instant() {
                return now;
            }
        };
        return new Enrolments(
                new Cgroups(mount),
                "/tulle-test",
                RANGE,
                new PublishRules(Set.of(15001)),
                new LeaseStore(dir.resolve("state")),
                clock,
                new Enrolments.Listener() {
                    @Override
                    public void onJoined(Lease lease) {
                        heard.add("+" + lease.spec().name());
                    }

                    @Override
                    public void onLeft(Lease lease) {
                        heard.add("-" + lease.spec().name());
                    }
                });
    }

    private static EnrolSpec spec(String json) throws RefusedException {
        return EnrolRequest.parse(
                JsonParser.parseString(json.replace('\'', '"')).getAsJsonObject());
    }

    /** The launcher enters the group while the agent looks at it: that is a beginning, not an end. */
    @Test
    @Timeout(20)
    void aProcessThatEntersWhileItsGroupIsLookedAtStays() throws Exception {
        Enrolments enrolments = enrolments();
        enrolments.adopt();
        assertTrue(enrolments.grant(PREFIX));
        Lease lease = enrolments.enrol(spec("{'name':'web'}"), false);
        populate(lease, false);
        Path times = mount.resolve(lease.group().substring(1)).resolve("cpu.stat");
        assertEquals(0, new ProcessBuilder("mkfifo", times.toString()).start().waitFor());
        // Whoever reads the times waits here until the process has entered and run.
        Thread enters = Thread.ofVirtual().start(() -> {
            try (OutputStream out = Files.newOutputStream(times)) {
                populate(lease, true);
                out.write("usage_usec 5\n".getBytes(StandardCharsets.US_ASCII));
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        });
        enrolments.sweep();
        enters.join();
        assertEquals(List.of("+web"), heard);
        assertEquals(1, enrolments.leases().size());
    }

    private void populate(Lease lease, boolean populated) throws IOException {
        Files.writeString(
                mount.resolve(lease.group().substring(1)).resolve("cgroup.events"),
                "populated " + (populated ? 1 : 0) + "\nfrozen 0\n");
    }

    private void empty(Lease lease) throws IOException {
        Files.delete(mount.resolve(lease.group().substring(1)).resolve("cgroup.events"));
    }

    /** A unit enrols itself at each start, perhaps before anybody has seen that it had stopped. */
    @Test
    void aUnitIsEnrolledForGood() throws Exception {
        EnrolSpec own = spec("{'name':'own','unit':'own.service','ports':['http:9080']}");
        Path group = Files.createDirectories(mount.resolve("system.slice/own.service"));
        Files.writeString(group.resolve("cgroup.events"), "populated 1\nfrozen 0\n");
        long first = (Long) Files.getAttribute(group, "unix:ino");
        Lease made =
                new Lease(own, 0x6450030a, 0x030a, "/system.slice/own.service", first, false, now, Lease.State.RUNNING);
        new LeaseStore(dir.resolve("state")).save(new LeaseStore.Contents(PREFIX.toString(), List.of(made), Map.of()));
        Enrolments enrolments = enrolments();
        enrolments.adopt();
        assertEquals(made, enrolments.enrol(own, false));
        assertEquals(
                RefusedException.Code.EXISTS,
                assertThrows(
                                RefusedException.class,
                                () -> enrolments.enrol(spec("{'name':'own','unit':'own.service'}"), false))
                        .code());
        assertEquals(List.of("+own"), heard);
        // Another group takes the place of the first while that is still there, so that it has another number.
        Path next = Files.createDirectories(mount.resolve("system.slice/next"));
        Files.writeString(next.resolve("cgroup.events"), "populated 1\nfrozen 0\n");
        Files.move(group, mount.resolve("system.slice/gone"));
        Files.move(next, group);
        Lease again = enrolments.enrol(own, false);
        assertEquals(List.of("+own", "-own", "+own"), heard);
        assertEquals((Long) Files.getAttribute(group, "unix:ino"), again.groupId());
        assertEquals(made.address(), again.address());
    }

    @Test
    void aLeaseLivesAsLongAsItsProcesses() throws Exception {
        Enrolments enrolments = enrolments();
        assertEquals(
                RefusedException.Code.UNAVAILABLE,
                assertThrows(RefusedException.class, () -> enrolments.enrol(spec("{'name':'a'}"), false))
                        .code());
        enrolments.adopt();
        assertTrue(enrolments.grant(PREFIX));
        Lease a = enrolments.enrol(spec("{'name':'a','ports':['9080']}"), false);
        assertEquals("100.80.3.10", a.addressText());
        assertEquals(0x030a, a.id());
        assertEquals("/tulle-test/workloads/a", a.group());
        populate(a, true);
        enrolments.sweep();
        Lease b = enrolments.enrol(spec("{'name':'b','ports':['9080']}"), false);
        assertEquals("100.80.3.11", b.addressText());
        empty(a);
        enrolments.sweep();
        assertEquals(List.of("+a", "+b", "-a"), heard);
        assertFalse(Files.exists(mount.resolve("tulle-test/workloads/a")));
        // The name gets its address back, also when others came in between.
        assertEquals(
                "100.80.3.12", enrolments.enrol(spec("{'name':'c'}"), false).addressText());
        assertEquals(
                "100.80.3.10", enrolments.enrol(spec("{'name':'a'}"), false).addressText());
    }

    @Test
    void whoCannotEnterByItselfIsPutThere() throws Exception {
        Enrolments enrolments = enrolments();
        enrolments.adopt();
        assertTrue(enrolments.grant(PREFIX));
        Process shell = new ProcessBuilder("sleep", "60").start();
        try {
            // Of this hierarchy of plain files, the file that the kernel would read.
            Path procs = Files.createDirectories(mount.resolve("tulle-test/workloads/a"))
                    .resolve("cgroup.procs");
            Files.createFile(procs);
            Lease a = enrolments.enrol(spec("{'name':'a','new':true,'enter':" + shell.pid() + "}"), false);
            assertEquals("/tulle-test/workloads/a", a.group());
            assertEquals(Long.toString(shell.pid()), Files.readString(procs));
        } finally {
            shell.destroy();
        }
        RefusedException gone = assertThrows(
                RefusedException.class,
                () -> enrolments.enrol(spec("{'name':'b','enter':" + Integer.MAX_VALUE + "}"), false));
        assertEquals(RefusedException.Code.NOT_FOUND, gone.code());
        assertFalse(Files.exists(mount.resolve("tulle-test/workloads/b")));
    }

    @Test
    void aGroupThatNobodyEntersIsGivenUp() throws Exception {
        Enrolments enrolments = enrolments();
        enrolments.adopt();
        assertTrue(enrolments.grant(PREFIX));
        enrolments.enrol(spec("{'name':'a'}"), false);
        now = now.plus(Enrolments.START_TIMEOUT);
        enrolments.sweep();
        assertEquals(1, enrolments.leases().size());
        now = now.plus(Duration.ofSeconds(1));
        enrolments.sweep();
        assertEquals(List.of(), enrolments.leases());
        assertEquals(List.of("+a", "-a"), heard);
    }

    @Test
    void aCommandThatEndsBetweenTwoLooksFreesItsName() throws Exception {
        Enrolments enrolments = enrolments();
        enrolments.adopt();
        assertTrue(enrolments.grant(PREFIX));
        Lease a = enrolments.enrol(spec("{'name':'a'}"), false);
        Path used = mount.resolve(a.group().substring(1)).resolve("cpu.stat");
        Files.writeString(used, "usage_usec 0\nuser_usec 0\n");
        assertEquals(
                "default/a-2", enrolments.enrol(spec("{'name':'a'}"), false).key(), "the name is still taken");
        enrolments.release("default/a-2");
        Files.writeString(used, "usage_usec 751\nuser_usec 751\n");
        enrolments.sweep();
        assertEquals(List.of(), enrolments.leases());
    }

    @Test
    void aRestartedAgentFindsItsWorkloads() throws Exception {
        Enrolments first = enrolments();
        first.adopt();
        assertTrue(first.grant(PREFIX));
        Lease a = first.enrol(spec("{'name':'a','ports':['http:9080'],'labels':{'version':'v1'}}"), false);
        populate(a, true);
        first.sweep();
        Lease b = first.enrol(spec("{'name':'b'}"), false);
        empty(first.lease("default/a").orElseThrow());
        populate(a, true);
        Files.delete(mount.resolve(b.group().substring(1)));
        heard.clear();
        Enrolments second = enrolments();
        second.adopt();
        assertEquals(List.of("+a"), heard);
        assertEquals(first.lease("default/a"), second.lease("default/a"));
        assertEquals(PREFIX, second.prefix().orElseThrow());
        assertFalse(second.grant(Cidr.of("prefix", "100.80.4.0/24")));
        assertTrue(second.grant(PREFIX));
    }

    @Test
    void whatARestartGivesBackRestsAndAnOrphansAddressIsHeldBack() throws Exception {
        Enrolments first = enrolments();
        first.adopt();
        assertTrue(first.grant(PREFIX));
        Lease gone = first.enrol(spec("{'name':'gone'}"), false);
        Files.delete(mount.resolve(gone.group().substring(1)));
        // A workload whose lease is lost while its processes run.
        Path orphan = Files.createDirectories(mount.resolve("tulle-test/workloads/orphan"));
        Files.writeString(orphan.resolve("cgroup.events"), "populated 1\nfrozen 0\n");
        int address = PREFIX.host(11);
        Enrolments second = enrolments();
        second.adopt();
        long id = new Cgroups(mount).id("/tulle-test/workloads/orphan");
        assertEquals(
                List.of("/tulle-test/workloads/orphan"), second.sweepOrphans(Map.of(id, address, 1L, PREFIX.host(12))));
        assertEquals(
                "100.80.3.12", second.enrol(spec("{'name':'a'}"), false).addressText(), "10 rests, 11 is the orphan's");
        assertEquals("100.80.3.10", second.enrol(spec("{'name':'gone'}"), false).addressText(), "its own, at once");
        Files.writeString(orphan.resolve("cgroup.events"), "populated 0\nfrozen 0\n");
        assertEquals("100.80.3.11", second.enrol(spec("{'name':'b'}"), false).addressText());
    }

    @Test
    void portsAreCheckedWhereAddressesAreShared() throws Exception {
        Enrolments enrolments = enrolments();
        enrolments.adopt();
        assertTrue(enrolments.grant(PREFIX));
        enrolments.enrol(spec("{'name':'a','ports':['9080'],'publish':['8080:9080']}"), true);
        RefusedException refused = assertThrows(
                RefusedException.class, () -> enrolments.enrol(spec("{'name':'b','ports':['http:9080']}"), true));
        assertTrue(refused.getMessage().startsWith("port 9080 is taken by workload default/a"), refused.getMessage());
        Map<String, String> publications = new LinkedHashMap<>();
        publications.put("127.0.0.1:8080:1", "already published by workload default/a");
        publications.put("15001:9080", "used by the mesh itself");
        publications.forEach((publication, expected) -> {
            RefusedException no = assertThrows(
                    RefusedException.class,
                    () -> enrolments.enrol(spec("{'name':'b','publish':['" + publication + "']}"), true));
            assertTrue(no.getMessage().contains(expected), no.getMessage());
        });
    }

    @Test
    void groupsAreCheckedAndMayNotOverlap() throws Exception {
        Path system = Files.createDirectories(mount.resolve("system.slice/nginx.service"));
        Files.writeString(system.resolve("cgroup.procs"), "");
        Files.writeString(mount.resolve("system.slice/cgroup.procs"), "");
        Files.writeString(mount.resolve("cgroup.procs"), "");
        Enrolments enrolments = enrolments();
        enrolments.adopt();
        assertTrue(enrolments.grant(PREFIX));
        Lease lease = enrolments.enrol(spec("{'name':'a','cgroup':'/system.slice/nginx.service'}"), false);
        assertFalse(lease.ownGroup());
        for (String bad : List.of("/", "/nothing", "/system.slice", system.toString(), "../../etc")) {
            assertThrows(
                    RefusedException.class,
                    () -> enrolments.enrol(spec("{'name':'b','cgroup':'" + bad + "'}"), false),
                    bad);
        }
        enrolments.release("default/a");
        assertTrue(Files.exists(system));
        assertThrows(RefusedException.class, () -> enrolments.release("default/a"));
    }

    @Test
    void severalOfOneNameAreReplicasOfOneWorkload() throws Exception {
        Enrolments enrolments = enrolments();
        enrolments.adopt();
        assertTrue(enrolments.grant(PREFIX));
        Lease first = enrolments.enrol(spec("{'name':'cron','service':'jobs','labels':{'version':'v1'}}"), false);
        Lease second = enrolments.enrol(spec("{'name':'cron','service':'jobs'}"), false);
        Lease third = enrolments.enrol(spec("{'name':'cron','service':'jobs'}"), false);
        assertEquals(
                List.of("default/cron", "default/cron-2", "default/cron-3"),
                List.of(first.key(), second.key(), third.key()));
        assertEquals(
                3,
                List.of(first.address(), second.address(), third.address()).stream()
                        .distinct()
                        .count());
        assertEquals(Map.of("version", "v1"), first.spec().labels());
        assertEquals(Map.of(EnrolSpec.WORKLOAD_LABEL, "cron"), second.spec().labels());
        assertEquals("jobs", third.spec().service());
        // The lowest number that is free, so that metrics do not know ever more names.
        enrolments.release("default/cron-2");
        assertEquals(
                "default/cron-2",
                enrolments.enrol(spec("{'name':'cron'}"), false).key());
        String longest = "x".repeat(63);
        assertEquals(
                "default/" + longest,
                enrolments.enrol(spec("{'name':'" + longest + "'}"), false).key());
        assertEquals(
                "default/" + "x".repeat(61) + "-2",
                enrolments.enrol(spec("{'name':'" + longest + "'}"), false).key());
    }

    @Test
    void aDamagedFileIsReplacedByTheOneBefore() throws Exception {
        LeaseStore store = new LeaseStore(dir.resolve("state"));
        LeaseStore.Contents one =
                new LeaseStore.Contents("100.80.3.0/24", List.of(), Map.of("default/a", Ip.number("100.80.3.10")));
        store.save(one);
        store.save(new LeaseStore.Contents("100.80.4.0/24", List.of(), Map.of()));
        Path file = dir.resolve("state/leases.json");
        byte[] good = Files.readAllBytes(file);
        for (int cut = 0; cut < good.length - 1; cut++) {
            Files.write(file, java.util.Arrays.copyOf(good, cut));
            assertEquals(one, store.load().contents(), "cut at " + cut);
        }
        Files.write(file, good);
        assertEquals("100.80.4.0/24", store.load().contents().prefix());
    }

    @Test
    void addressesRunOutInOrder() {
        Cidr tiny = Cidr.of("prefix", "100.80.3.0/28");
        AddressPool pool = new AddressPool(Map.of());
        List<Integer> held = new ArrayList<>();
        for (int i = 10; i < 15; i++) {
            int address = pool.take(tiny, "default/w" + i, held).orElseThrow();
            assertEquals(tiny.host(i), address);
            held.add(address);
        }
        assertTrue(pool.take(tiny, "default/more", held).isEmpty());
        held.remove(Integer.valueOf(tiny.host(12)));
        pool.giveBack("default/w12", tiny.host(12));
        assertEquals(tiny.host(12), pool.take(tiny, "default/more", held).orElseThrow());
    }
}
