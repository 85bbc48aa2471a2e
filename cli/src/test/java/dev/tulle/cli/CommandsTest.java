package dev.tulle.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.cli.client.PidFile;
import dev.tulle.common.LocalApiServer;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Goal: what a command sends, prints and exits with. Method: the real command line in this process against roles played
 * by a local API server that answers a fixed line.
 */
class CommandsTest {
    @TempDir
    private Path directory;

    private final PrintStream terminal = System.out;
    private final PrintStream terminalErrors = System.err;
    private final ByteArrayOutputStream out = new ByteArrayOutputStream();
    private final ByteArrayOutputStream err = new ByteArrayOutputStream();
    private final List<String> requests = new CopyOnWriteArrayList<>();

    @BeforeEach
    void capture() {
        System.setOut(new PrintStream(out, true, StandardCharsets.UTF_8));
        System.setErr(new PrintStream(err, true, StandardCharsets.UTF_8));
    }

    @AfterEach
    void release() {
        System.setOut(terminal);
        System.setErr(terminalErrors);
    }

    private LocalApiServer role(String socket, String answer) throws IOException {
        return LocalApiServer.start(directory.resolve(socket), (request, reply) -> {
            requests.add(request);
            reply.send(answer);
        });
    }

    private int run(String... command) {
        String[] whole = new String[command.length + 2];
        whole[0] = command[0];
        whole[1] = "--run-dir";
        whole[2] = directory.toString();
        System.arraycopy(command, 1, whole, 3, command.length - 1);
        return Main.run(whole);
    }

    private String printed() {
        return out.toString(StandardCharsets.UTF_8);
    }

    private String errors() {
        return err.toString(StandardCharsets.UTF_8);
    }

    @Test
    void aMeshThatIsNotThereIsStatus3() {
        assertEquals(3, run("services"));
        assertTrue(errors().startsWith("tulle services: cannot reach the control plane: nothing serves "), errors());
        assertEquals(3, run("status"));
    }

    @Test
    void aWrongCommandLineIsStatus2() {
        assertEquals(2, Main.run("servics"));
        assertTrue(errors().contains("did you mean: services"), errors());
        assertEquals(2, Main.run("explain", "--from", "a"));
        assertEquals(2, Main.run());
        assertEquals(2, Main.run("services", "-o", "xml"));
        assertTrue(errors().contains("expected table, json or yaml"), errors());
    }

    @Test
    void aKindThatThereIsNotIsAWrongCommandLine() {
        for (List<String> command : List.of(List.of("get", "foo"), List.of("delete", "foo", "a"))) {
            assertEquals(2, run(command.toArray(String[]::new)));
        }
        assertTrue(errors().contains("unknown kind 'foo': expected one of AuthorizationPolicy, "), errors());
    }

    @Test
    void toApplyNothingIsNotDone() throws IOException {
        Path file = Files.writeString(directory.resolve("empty.yaml"), "# nothing\n");
        try (LocalApiServer _ = role(
                "control.sock", "{\"ok\":true,\"result\":{\"resources\":[],\"warnings\":[],\"notEnforced\":[]}}")) {
            assertEquals(1, run("apply", "-f", file.toString()));
        }
        assertTrue(errors().contains("nothing to apply: no object in " + file), errors());
    }

    @Test
    void aNoIsStatus1WithTheProblemsBelow() throws IOException {
        Path file = Files.writeString(directory.resolve("a.yaml"), "kind: X\n");
        String answer = "{\"ok\":false,\"error\":{\"code\":\"INVALID\",\"message\":\"invalid\",\"details\":["
                + "{\"severity\":\"ERROR\",\"file\":\"a.yaml\",\"line\":1,\"column\":7,\"field\":\"kind\","
                + "\"value\":\"X\",\"expected\":\"a known kind\",\"message\":\"unknown kind\"}]}}";
        try (LocalApiServer _ = role("control.sock", answer)) {
            assertEquals(1, run("apply", "-f", file.toString()));
        }
        assertTrue(
                errors().contains("  a.yaml:1:7: error: kind: unknown kind; found 'X', expected a known kind"),
                errors());
        assertTrue(requests.getFirst().contains("\"content\":\"kind: X\\n\""), requests.toString());
    }

    @Test
    void listsFilterByNamespaceAndName() throws IOException {
        String answer = "{\"ok\":true,\"result\":{\"workloads\":["
                + "{\"namespace\":\"default\",\"name\":\"a\",\"addresses\":[\"100.64.0.10\"],\"healthy\":true,"
                + "\"services\":[\"s\"],\"ports\":[{\"protocol\":\"HTTP\",\"number\":80}],\"labels\":{\"v\":\"1\"},"
                + "\"node\":\"n\"},{\"namespace\":\"other\",\"name\":\"b\"}]}}";
        try (LocalApiServer _ = role("control.sock", answer)) {
            assertEquals(0, run("workloads"));
            assertTrue(
                    printed()
                            .contains(
                                    "default    a     100.64.0.10  s         http:80  yes    -      -   -    v=1     n"),
                    printed());
            assertTrue(!printed().contains("other"), printed());
            out.reset();
            assertEquals(0, run("workloads", "-A", "b", "-o", "json"));
            assertTrue(printed().contains("\"other\"") && !printed().contains("\"a\""), printed());
        }
    }

    @Test
    void servicesShowWhichWayThisHostGoes() throws IOException {
        String services = "{\"ok\":true,\"result\":{\"services\":[{\"namespace\":\"default\",\"hostname\":\"s\","
                + "\"addresses\":[\"240.240.0.1\"],\"ports\":[{\"number\":80,\"protocol\":\"HTTP\"},"
                + "{\"number\":81,\"protocol\":\"HTTP\"},{\"number\":90,\"protocol\":\"TCP\"}],\"paths\":["
                + "{\"port\":80,\"path\":\"PROXY\",\"reason\":\"routed\"},"
                + "{\"port\":81,\"path\":\"PROXY\",\"reason\":\"routed\"},"
                + "{\"port\":90,\"path\":\"KERNEL_L4\",\"reason\":\"plain\"}]}]}}";
        String paths = "{\"ok\":true,\"result\":{\"ports\":[{\"service\":\"s\",\"port\":80,"
                + "\"path\":\"kernel-http\",\"reason\":\"\",\"routes\":[{\"name\":\"a\",\"path\":\"kernel-http\"},"
                + "{\"name\":\"b\",\"path\":\"spliced-proxy\",\"reason\":\"it injects a fault\"}]}]}}";
        try (LocalApiServer _ = role("control.sock", services);
                LocalApiServer _ = role("agent.sock", paths)) {
            assertEquals(0, run("services"));
            String rows = printed().replaceAll(" +", " ");
            assertTrue(
                    rows.contains("240.240.0.1 80 HTTP kernel-http but route b by spliced-proxy: it injects a fault"),
                    rows);
            assertTrue(rows.contains("240.240.0.1 81 HTTP kernel-http or proxy routed"), rows);
            assertTrue(rows.contains("240.240.0.1 90 TCP kernel-l4 plain"), rows);
            out.reset();
            assertEquals(0, run("services", "-o", "json"));
            assertTrue(printed().contains("\"onThisHost\""), printed());
        }
        // Without an agent: what the control plane has decided.
        try (LocalApiServer _ = role("control.sock", services)) {
            out.reset();
            assertEquals(0, run("services"));
            assertTrue(printed().contains("kernel-l4"), printed());
        }
    }

    @Test
    void explainAsksTheAgentForTheRouteThatWasTaken() throws IOException {
        String control = "{\"ok\":true,\"result\":{\"workload\":\"n/default/a\",\"address\":\"240.240.0.1\","
                + "\"port\":80,\"routeName\":\"b\",\"refused\":false,\"steps\":[]}}";
        String agent = "{\"ok\":true,\"result\":{\"steps\":[{\"step\":\"path\",\"decision\":\"proxy, spliced\","
                + "\"origin\":\"route b: it injects a fault\"}]}}";
        try (LocalApiServer _ = role("control.sock", control);
                LocalApiServer _ = role("agent.sock", agent)) {
            assertEquals(0, run("explain", "--from", "a", "--to", "http://s/"));
        }
        assertTrue(requests.getLast().contains("\"from\":\"default/a\""), requests.toString());
        assertTrue(requests.getLast().contains("\"route\":\"b\""), requests.toString());
        assertTrue(printed().contains("kernel path  proxy, spliced"), printed());
    }

    @Test
    void explainSaysNoWhereNothingListens() throws IOException {
        String control = "{\"ok\":true,\"result\":{\"workload\":\"n/default/a\",\"address\":\"240.240.0.1\","
                + "\"port\":80,\"routeName\":\"b\",\"refused\":false,\"steps\":[],\"endpoints\":["
                + "{\"address\":\"100.64.0.1\",\"port\":80},{\"address\":\"100.64.0.2\",\"port\":80}]}}";
        String one = "\"100.64.0.1:80\"";
        for (String closed : List.of("", one, one + ",\"100.64.0.2:80\"")) {
            out.reset();
            try (LocalApiServer _ = role("control.sock", control);
                    LocalApiServer _ =
                            role("agent.sock", "{\"ok\":true,\"result\":{\"steps\":[],\"closed\":[" + closed + "]}}")) {
                // One that listens is enough: requests go there.
                assertEquals(closed.contains(",") ? 1 : 0, run("explain", "--from", "a", "--to", "http://s/"), closed);
            }
            assertEquals(
                    !closed.isEmpty(), printed().contains("nothing listens on 100.64.0.1:80: connections to it are"));
        }
        assertTrue(requests.getLast().contains("100.64.0.1 80,100.64.0.2 80"), requests.toString());
    }

    @Test
    void statusAsksTheProxyToo() throws IOException {
        String proxy = "{\"ok\":true,\"result\":{\"refusals\":[],\"troubles\":["
                + "\"the access log /x cannot be written: no space\"]}}";
        PidFile.write(directory, "proxy", ProcessHandle.current().pid());
        Files.createDirectory(directory.resolve("proxy"));
        String role = "{\"ok\":true,\"result\":{\"tier\":\"splice\"}}";
        try (LocalApiServer _ = role("agent.sock", role);
                LocalApiServer _ = role("control.sock", role)) {
            assertEquals(1, run("status"));
            assertTrue(printed().contains("not healthy: proxy: cannot reach the proxy: nothing serves"), printed());
            out.reset();
            try (LocalApiServer _ = role("proxy/admin.sock", proxy)) {
                assertEquals(1, run("status"));
            }
        }
        assertTrue(printed().contains("not healthy: proxy: the access log /x cannot be written: no space"), printed());
    }

    @Test
    void aChangeWaitsAsLongAsItIsTold() throws IOException {
        Path file = Files.writeString(directory.resolve("a.yaml"), "kind: X\n");
        String late = "{\"ok\":true,\"result\":{\"resources\":[],\"warnings\":[],\"notEnforced\":["
                + "\"n/proxy did not answer within 3 s\"]}}";
        try (LocalApiServer _ = role("control.sock", late)) {
            assertEquals(1, run("apply", "-f", file.toString(), "--timeout", "3"));
            assertEquals(1, run("delete", "vs", "a", "--timeout", "3"));
            assertEquals(2, run("delete", "vs", "a", "--timeout", "0"));
        }
        assertEquals(2, requests.size());
        requests.forEach(request -> assertTrue(request.contains("\"timeoutSeconds\":3"), request));
        assertTrue(errors().contains("  n/proxy did not answer within 3 s"), errors());
        assertTrue(errors().contains("--timeout: found 0, expected 1 to 600 seconds"), errors());
    }

    @Test
    void aLeaseIsShellTextThatAShellReadsBack() throws Exception {
        String answer =
                "{\"ok\":true,\"result\":{\"cgroup\":\"/c/it's\",\"env\":{\"PORT\":\"80\",\"X\":\"$(a) 'b'\"}}}";
        try (LocalApiServer _ = role("agent.sock", answer)) {
            assertEquals(0, run("run", "--shell", "--name", "a", "--port", "http:80", "--label", "v=1"));
        }
        Process shell = new ProcessBuilder(
                        "bash", "-c", printed() + "printf '%s|%s|%s' \"$TULLE_LEASE_CGROUP\" \"$PORT\" \"$X\"")
                .start();
        assertEquals("/c/it's|80|$(a) 'b'", new String(shell.getInputStream().readAllBytes(), StandardCharsets.UTF_8));
        assertTrue(
                requests.getFirst().contains("\"labels\":{\"v\":\"1\"},\"ports\":[\"http:80\"]"), requests.toString());
    }

    @Test
    void aVariableNameThatIsShellCodeIsRefused() throws IOException {
        String answer = "{\"ok\":true,\"result\":{\"cgroup\":\"/c\",\"env\":{\"a;id\":\"1\"}}}";
        try (LocalApiServer _ = role("agent.sock", answer)) {
            assertEquals(1, run("run", "--shell", "--name", "a"));
        }
    }

    @Test
    void enrolTakesExactlyOneTarget() {
        assertEquals(2, run("enrol", "--name", "a"));
        assertEquals(2, run("enrol", "--name", "a", "--pid", "1", "--unit", "x.service"));
    }

    @Test
    void statusTellsWhatIsMissingAndWhatHappened() throws IOException {
        Files.writeString(
                directory.resolve("events.jsonl"),
                "{\"time\":\"2026-11-21T04:00:00Z\",\"role\":\"proxy\",\"what\":\"was killed by signal 9\"}\n");
        try (LocalApiServer _ = role("agent.sock", "{\"ok\":true,\"result\":{\"tier\":\"splice\"}}")) {
            assertEquals(1, run("status"));
        }
        assertTrue(printed().contains("control  missing"), printed());
        assertTrue(printed().contains("tier splice"), printed());
        assertTrue(printed().contains("was killed by signal 9"), printed());
        assertTrue(printed().contains("not healthy: cannot reach the control plane"), printed());
    }

    @Test
    void validateNamesFileLineFieldValueAndExpectation() throws IOException {
        Path file = Files.writeString(
                directory.resolve("bad.yaml"),
                "apiVersion: v1\nkind: Service\nmetadata:\n  name: a\nspec:\n  ports:\n    - port: many\n");
        assertEquals(1, Main.run("validate", file.toString()));
        assertTrue(printed().startsWith(file + ":7:"), printed());
        assertTrue(printed().contains("spec.ports[0].port") && printed().contains("found 'many'"), printed());

        assertEquals(1, Main.run("validate", directory.resolve("absent.yaml").toString()));
        Files.writeString(
                file, "apiVersion: v1\nkind: Service\nmetadata:\n  name: a\nspec:\n  ports:\n    - port: 80\n");
        out.reset();
        assertEquals(0, Main.run("validate", file.toString()));
        assertEquals("valid: 1 resource in 1 file\n", printed());
    }

    @Test
    void everyCommandHasHelpAndACompletion() {
        assertEquals(0, Main.run("completion"));
        assertTrue(printed().contains("_complete_tulle"), "no completion function");
        for (String name : Commands.names()) {
            out.reset();
            assertEquals(0, Main.run(name, "--help"), name);
            String first = printed().lines().findFirst().orElse("");
            assertTrue(first.startsWith("Usage: tulle " + name), first);
            assertEquals(first.indexOf("Usage"), first.lastIndexOf("Usage"), first);
        }
    }
}
