package dev.tulle.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.testkit.Command;
import dev.tulle.testkit.MeshLab;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * Proves that unmodified programs which all listen on the wildcard address and the same port answer by name, each at an
 * address of its own, and that nobody outside the mesh reaches them unless a port is published.
 */
@Tag("e2e")
class NamesAndAddressesTest {
    private static MeshLab lab;

    @BeforeAll
    static void start() throws Exception {
        lab = MeshLab.start(null);
        String java = Path.of(System.getProperty("java.home"), "bin/java").toString();
        lab.workload(
                "reviews",
                List.of("--service", "reviews", "--port", "http:9080"),
                List.of(
                        java,
                        "-XX:TieredStopAtLevel=1",
                        lab.program("Server.java").toString(),
                        "reviews",
                        "9080"));
        lab.workload(
                "ratings",
                List.of("--service", "ratings", "--port", "http:9080", "--publish", "127.0.0.1:9480:9080"),
                List.of("python3", lab.program("server.py").toString(), "ratings", "9080"));
        lab.workload(
                "counter",
                List.of("--service", "counter", "--port", "tcp:7000"),
                List.of("python3", lab.program("transfer.py").toString(), "serve", "7000"));
        lab.await("all three serve", Duration.ofSeconds(20), NamesAndAddressesTest::allServe);
    }

    private static boolean allServe() {
        try {
            return curl("http://reviews:9080/").status() == 0
                    && curl("http://ratings:9080/").status() == 0
                    && lab.in(
                                            "look",
                                            "python3",
                                            lab.program("transfer.py").toString(),
                                            "get",
                                            "counter",
                                            "7000",
                                            "1",
                                            "none")
                                    .run()
                                    .status()
                            == 0;
        } catch (Exception e) {
            throw new AssertionError(e);
        }
    }

    @AfterAll
    static void stop() throws Exception {
        lab.close();
    }

    private static Command.Result curl(String... words) throws Exception {
        String[] command = new String[words.length + 5];
        System.arraycopy(new String[] {"curl", "-sS", "--fail", "-m", "5"}, 0, command, 0, 5);
        System.arraycopy(words, 0, command, 5, words.length);
        return lab.in("c", command).run();
    }

    @Test
    void twoServersOnTheSamePortAnswerByName() throws Exception {
        for (String name :
                List.of("reviews", "reviews.default", "reviews.default.svc", "reviews.default.svc.cluster.local")) {
            Command.Result answer = curl("http://" + name + ":9080/a");
            assertEquals(0, answer.status(), answer.toString());
            assertTrue(answer.out().startsWith("reviews "), answer.toString());
        }
        assertTrue(curl("http://ratings:9080/").out().startsWith("ratings "));
        Command.Result unknown = curl("http://nobody:9080/");
        assertNotEquals(0, unknown.status(), unknown.toString());
    }

    @Test
    void theHostIsRefusedUnlessPublished() throws Exception {
        String address = lab.address("ratings");
        Command.Result direct = Command.of("curl", "-sS", "-m", "3", "http://" + address + ":9080/")
                .run();
        assertNotEquals(0, direct.status(), direct.toString());
        Command.Result published = Command.of("curl", "-sS", "--fail", "-m", "3", "http://127.0.0.1:9480/p")
                .ok();
        assertTrue(published.out().startsWith("ratings "), published.toString());
    }

    @Test
    void aTcpServiceIsServedByTheKernelAndSeesTheCallersOwnAddress() throws Exception {
        Command.Result answer = lab.in(
                        "d",
                        "python3",
                        lab.program("transfer.py").toString(),
                        "put",
                        "counter",
                        "7000",
                        "1000000",
                        "none")
                .run();
        assertEquals("ok 1000000\n", answer.out(), answer.toString());
        Command.Result direct = curl("http://" + lab.address("ratings") + ":9080/");
        assertEquals(0, direct.status(), direct.toString());
        assertTrue(direct.out().startsWith("ratings 100."), direct.toString());
    }

    @Test
    void namesOutsideTheMeshAreLeftToTheHost() throws Exception {
        Command.Result here = lab.in("e", "getent", "hosts", "localhost").run();
        assertEquals(0, here.status(), here.toString());
    }
}
