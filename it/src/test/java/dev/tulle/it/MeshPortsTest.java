package dev.tulle.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.testkit.Command;
import dev.tulle.testkit.MeshLab;
import java.io.File;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * Proves that the mesh's ports are never anybody else's: not while its proxy is killed again and again, and not when
 * somebody was there first. {@code -Dtulle.kills=1000} for the long form.
 */
@Tag("e2e")
class MeshPortsTest {
    private static final int KILLS = Integer.getInteger("tulle.kills", 8);
    private static final int[] PORTS = {15001, 15021, 15090, 15020, 15053, 15080};
    private static final int PUBLISHED = 18_555;
    private static final Duration START = Duration.ofSeconds(30);

    @Test
    void nobodyElseEverListensOnTheMeshsPorts() throws Exception {
        try (MeshLab lab = MeshLab.start(null)) {
            lab.workload(
                    "web",
                    List.of("--service", "web", "--port", "http:9080"),
                    List.of("python3", lab.program("server.py").toString(), "web", "9080"));
            lab.await("web answers", START, () -> answers(lab));
            kill(lab);
            publish(lab);
        }
    }

    /** Requests wait for the next proxy; but for those that the killed one had in hand, none fails. */
    private static void kill(MeshLab lab) throws Exception {
        String seconds = Integer.toString(6 + KILLS * 3);
        Process stranger = squatter(lab, seconds);
        Process workload = lab.workload("squat", List.of(), squat(lab, seconds));
        Process calls = lab.workload(
                "calls",
                List.of(),
                List.of("python3", lab.program("ports.py").toString(), "call", "http://web:9080/x", seconds));
        for (int i = 0; i < KILLS; i++) {
            long proxy = lab.pid("proxy");
            Command.of("kill", "-9", Long.toString(proxy)).ok();
            lab.await("proxy " + (i + 2) + " serves", START, () -> isServing(lab, proxy));
        }
        for (Process process : List.of(stranger, workload, calls)) {
            assertTrue(process.waitFor(KILLS * 10L + 60, TimeUnit.SECONDS), "it ends");
        }
        for (String who : List.of("stranger", "squat")) {
            String log = Files.readString(lab.folder().resolve(who + ".log"));
            Matcher told =
                    Pattern.compile("tries (\\d+) bound 0 received 0\\s*").matcher(log);
            assertTrue(told.matches() && Integer.parseInt(told.group(1)) > 1_000, who + ": " + log);
        }
        String outcomes = Files.readString(lab.folder().resolve("calls.log")).strip();
        assertTrue(outcomes.contains("\"200\": "), outcomes);
        assertTrue(!outcomes.contains("ConnectionRefused"), outcomes);
        Matcher rest = Pattern.compile("\"(?:closed|ConnectionResetError|503)\": (\\d+)")
                .matcher(outcomes);
        int lost = 0;
        while (rest.find()) {
            lost += Integer.parseInt(rest.group(1));
        }
        assertTrue(lost <= 2 * KILLS, "more than what the killed proxies had in hand: " + outcomes);
    }

    private static List<String> squat(MeshLab lab, String seconds) throws Exception {
        List<String> command =
                new ArrayList<>(List.of("python3", lab.program("ports.py").toString(), "squat", seconds));
        for (int port : PORTS) {
            command.add(Integer.toString(lab.port(port)));
        }
        return command;
    }

    /** Unprivileged, and no workload. */
    private static Process squatter(MeshLab lab, String seconds) throws Exception {
        List<String> command =
                new ArrayList<>(List.of("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"));
        List<String> squat = squat(lab, seconds);
        // What a version manager puts first on the PATH is root's alone.
        squat.set(0, "/usr/bin/python3");
        command.addAll(squat);
        return new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(lab.folder().resolve("stranger.log").toFile())
                .start();
    }

    /** A port that somebody has is no port to publish; one that is free is open to both families. */
    private static void publish(MeshLab lab) throws Exception {
        String port = Integer.toString(PUBLISHED);
        String[] run = {
            "run",
            "--name",
            "pp",
            "--service",
            "pp",
            "--port",
            "http:8080",
            "--publish",
            port + ":8080",
            "--",
            "sleep",
            "30"
        };
        try (ServerSocket _ = new ServerSocket(PUBLISHED)) {
            Command.Result refused = lab.tulle(run).run();
            assertTrue(refused.status() != 0, refused.toString());
            assertTrue(
                    refused.err()
                            .contains("port " + port + " is in use by process "
                                    + ProcessHandle.current().pid() + " (java)"),
                    refused.toString());
        }
        lab.workload(
                "pp",
                List.of("--service", "pp", "--port", "http:8080", "--publish", port + ":8080"),
                List.of("python3", lab.program("ports.py").toString(), "head", "8080"));
        for (String host : List.of("127.0.0.1", "[::1]")) {
            // The port is open before the program listens; until then the proxy answers by itself.
            lab.await("the program answers at " + host, START, () -> head(host).contains("\r\nx-forwarded-for: "));
            String head = head(host);
            assertTrue(head.contains("\r\nx-forwarded-for: " + host.replaceAll("[\\[\\]]", "") + "\r\n"), head);
            assertTrue(!head.contains("192.0.2.1"), "forged: " + head);
            assertTrue(head.contains("\r\nx-forwarded-proto: http\r\n") && !head.contains("https"), head);
        }
    }

    private static String head(String host) {
        try {
            return Command.of(
                            "curl",
                            "-s",
                            "-m",
                            "3",
                            "-H",
                            "X-Forwarded-For: 192.0.2.1",
                            "-H",
                            "x-forwarded-proto: https",
                            "http://" + host + ":" + PUBLISHED + "/")
                    .run()
                    .out();
        } catch (Exception e) {
            throw new AssertionError(e);
        }
    }

    @Test
    void aPortThatSomebodyHasIsNamedAtTheStart(@org.junit.jupiter.api.io.TempDir Path folder) throws Exception {
        try (ServerSocket taken = new ServerSocket(19_501, 1, InetAddress.ofLiteral("127.0.0.1"))) {
            Process up = new ProcessBuilder(
                            MeshLab.home().resolve("tulle").toString(),
                            "up",
                            "--mesh",
                            "tulle-it-taken",
                            "--port-offset",
                            "4500",
                            "--run-dir",
                            folder.resolve("run").toString(),
                            "--state",
                            folder.resolve("state").toString(),
                            "--range",
                            "100.69.0.0/16",
                            "--service-range",
                            "240.245.0.0/16")
                    .redirectErrorStream(true)
                    .redirectInput(new File("/dev/null"))
                    .redirectOutput(folder.resolve("up.log").toFile())
                    .start();
            assertTrue(up.waitFor(60, TimeUnit.SECONDS), "up ends");
            String log = Files.readString(folder.resolve("up.log"));
            assertEquals(1, up.exitValue(), log);
            assertTrue(
                    log.contains("127.0.0.1 port " + taken.getLocalPort() + " is in use by process "
                            + ProcessHandle.current().pid() + " (java)"),
                    log);
        }
    }

    private static boolean isServing(MeshLab lab, long former) {
        try {
            return lab.pid("proxy") != former
                    && Command.of(
                                            "curl",
                                            "-s",
                                            "-m",
                                            "2",
                                            "-f",
                                            "http://127.0.0.1:" + lab.port(15021) + "/healthz/ready")
                                    .run()
                                    .status()
                            == 0;
        } catch (Exception e) {
            return false;
        }
    }

    private static boolean answers(MeshLab lab) {
        try {
            return lab.in("look", "curl", "-sS", "--fail", "-m", "3", "http://web:9080/")
                            .run()
                            .status()
                    == 0;
        } catch (Exception e) {
            throw new AssertionError(e);
        }
    }
}
