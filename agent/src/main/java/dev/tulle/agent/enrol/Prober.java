package dev.tulle.agent.enrol;

import dev.tulle.agent.enrol.Probe.Check;
import dev.tulle.agent.host.Shell;
import dev.tulle.common.VisibleText;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Consumer;

/**
 * Runs the readiness probes of one workload, each on a virtual thread of its own, and tells when readiness changes. The
 * probes' connections come from the agent's own address, which the guard admits.
 */
public final class Prober implements AutoCloseable {
    private static final System.Logger LOG = System.getLogger(Prober.class.getName());
    private static final int STATUS_LINE_MAX = 256;
    /** Of what a workload says, in a log line and in status. */
    private static final int FAILURE_MAX = 500;

    private final String address;
    private final Path group;
    private final Consumer<Boolean> onChange;
    private final List<Thread> threads = new ArrayList<>();
    private final boolean[] passing;
    private boolean ready;
    private volatile String trouble = "";
    private volatile boolean closed;

    private Prober(List<Probe> probes, String address, Path group, boolean ready, Consumer<Boolean> onChange) {
        this.address = address;
        this.group = group;
        this.onChange = onChange;
        this.passing = new boolean[probes.size()];
        Arrays.fill(passing, ready);
        this.ready = ready;
    }

    /**
     * Starts.
     *
     * @param address where the workload listens
     * @param group the workload's control group directory, in which commands run
     * @param ready what is believed until the probes say otherwise
     * @param onChange told when readiness changes, on a probe's thread
     */
    public static Prober start(
            List<Probe> probes, String address, Path group, boolean ready, Consumer<Boolean> onChange) {
        Prober prober = new Prober(probes, address, group, ready, onChange);
        for (int i = 0; i < probes.size(); i++) {
            int index = i;
            prober.threads.add(
                    Thread.ofVirtual().name("probe-" + address).start(() -> prober.loop(index, probes.get(index))));
        }
        return prober;
    }

    /** Why a probe failed last; empty when all pass. */
    public String trouble() {
        return trouble;
    }

    private void loop(int index, Probe probe) {
        int inRow = 0;
        boolean last = false;
        try {
            Thread.sleep(probe.initialDelay());
            while (!closed) {
                long start = System.nanoTime();
                String failure = VisibleText.line(tryOnce(probe), FAILURE_MAX);
                boolean passed = failure.isEmpty();
                inRow = passed == last ? inRow + 1 : 1;
                last = passed;
                if (inRow >= (passed ? probe.successes() : probe.failures())) {
                    report(index, passed, failure);
                }
                long spent = System.nanoTime() - start;
                Thread.sleep(Duration.ofNanos(Math.max(0, probe.interval().toNanos() - spent)));
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private String tryOnce(Probe probe) {
        try {
            return switch (probe.check()) {
                case Check.Tcp(int port) -> tcp(port, probe.timeout());
                case Check.Http(int port, String path) -> http(port, path, probe.timeout());
                case Check.Grpc(int port, String service) -> grpc(port, service, probe.timeout());
                case Check.Exec(var command) -> exec(command, probe.timeout());
            };
        } catch (IOException e) {
            return probe.check() + ": " + e.getMessage();
        }
    }

    private String tcp(int port, Duration timeout) throws IOException {
        try (Socket socket = new Socket()) {
            socket.connect(new InetSocketAddress(address, port), (int) timeout.toMillis());
            return "";
        }
    }

    private String http(int port, String path, Duration timeout) throws IOException {
        try (Socket socket = new Socket()) {
            socket.connect(new InetSocketAddress(address, port), (int) timeout.toMillis());
            socket.setSoTimeout((int) timeout.toMillis());
            String request = "GET " + path + " HTTP/1.1\r\nHost: " + address + ":" + port
                    + "\r\nUser-Agent: tulle-probe\r\nAccept: */*\r\nConnection: close\r\n\r\n";
            socket.getOutputStream().write(request.getBytes(StandardCharsets.US_ASCII));
            String line = statusLine(socket.getInputStream());
            boolean http = line.matches("HTTP/1\\.[01] [1-5][0-9][0-9]( .*)?");
            int status = http ? Integer.parseInt(line.substring(9, 12)) : 0;
            return status >= 200 && status < 400
                    ? ""
                    : "GET " + path + " on port " + port + " answered '" + line + "', expected status 200 to 399";
        }
    }

    private String grpc(int port, String service, Duration timeout) {
        String trouble = GrpcHealth.check(new InetSocketAddress(address, port), service, timeout);
        return trouble.isEmpty() ? "" : "health of gRPC on port " + port + ": " + trouble;
    }

    private static String statusLine(InputStream in) throws IOException {
        StringBuilder line = new StringBuilder();
        for (int c = in.read(); c >= 0 && c != '\n' && line.length() < STATUS_LINE_MAX; c = in.read()) {
            line.append((char) c);
        }
        return line.toString().strip();
    }

    private String exec(List<String> command, Duration timeout) throws IOException {
        if (!Files.readString(group.resolve("cgroup.events")).contains("populated 1")) {
            // A command that came and went before the workload's first process would look like the workload's end.
            return String.join(" ", command) + ": not run, as no process of the workload runs";
        }
        List<String> full = new ArrayList<>(
                List.of("/bin/sh", "-c", "echo $$ > \"$0/cgroup.procs\" && exec \"$@\"", group.toString()));
        full.addAll(command);
        Shell.Outcome outcome = Shell.run(full, "", timeout);
        return outcome.ok() ? "" : String.join(" ", command) + ": exit status " + outcome.status();
    }

    private void report(int index, boolean passed, String failure) {
        boolean now;
        synchronized (this) {
            passing[index] = passed;
            now = true;
            for (boolean one : passing) {
                now &= one;
            }
            trouble = now ? "" : passed ? trouble : failure;
            if (now == ready || closed) {
                return;
            }
            ready = now;
        }
        LOG.log(System.Logger.Level.INFO, address + (now ? " is ready" : " is not ready: " + failure));
        onChange.accept(now);
    }

    /** Stops the probes; nothing is told afterwards. */
    @Override
    public void close() {
        synchronized (this) {
            closed = true;
        }
        threads.forEach(Thread::interrupt);
    }
}
