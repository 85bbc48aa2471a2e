package dev.tulle.it;

import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.common.LocalApiClient;
import dev.tulle.testkit.MeshLab;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/** Changes the configuration of a lab's mesh by the control plane's socket: as tulle apply and delete, but at once. */
final class LiveControl implements AutoCloseable {
    private final LocalApiClient api;

    LiveControl(MeshLab lab) throws IOException {
        api = LocalApiClient.connect(lab.folder().resolve("run/control.sock"));
    }

    /** True when the answer says that all clients have taken the change: it gives up after eight seconds. */
    boolean apply(String manifest) throws IOException {
        return call("{\"method\":\"apply\",\"params\":{\"origin\":\"test\",\"content\":" + quoted(manifest) + "}}");
    }

    private void deletePolicy(String name) throws IOException {
        var _ = call(
                "{\"method\":\"delete\",\"params\":{\"kind\":\"AuthorizationPolicy\",\"namespace\":\"default\",\"name\":\""
                        + name + "\"}}");
    }

    /**
     * Applies a policy and deletes it again, many times.
     *
     * @param name of the policy in the manifest
     * @return from when to when, in milliseconds, it was in force for certain; no span for an apply that not all clients
     *     took in time
     */
    List<long[]> inForce(String manifest, String name, int times) throws IOException, InterruptedException {
        List<long[]> spans = new ArrayList<>();
        for (int i = 0; i < times; i++) {
            boolean taken = apply(manifest);
            long from = System.currentTimeMillis();
            Thread.sleep(120);
            long to = System.currentTimeMillis();
            if (taken) {
                spans.add(new long[] {from, to});
            }
            deletePolicy(name);
            Thread.sleep(80);
        }
        return spans;
    }

    private boolean call(String request) throws IOException {
        String answer = api.call(request);
        assertTrue(answer.startsWith("{\"ok\":true"), answer);
        return answer.contains("\"synced\":true");
    }

    private static String quoted(String text) {
        return "\"" + text.replace("\\", "\\\\").replace("\"", "\\\"").replace("\n", "\\n") + "\"";
    }

    @Override
    public void close() throws IOException {
        api.close();
    }
}
