package dev.tulle.it.truth;

import dev.tulle.common.LocalApiClient;
import dev.tulle.testkit.MeshLab;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;

/** A workload that tells what the data path does now. */
final class Probe implements AutoCloseable {
    private final LocalApiClient connection;

    private Probe(LocalApiClient connection) {
        this.connection = connection;
    }

    static Probe start(MeshLab lab) throws IOException, InterruptedException {
        Path socket = lab.folder().resolve("truth.sock");
        lab.workload(
                "truth",
                List.of(),
                List.of("python3", lab.program("truth.py").toString(), socket.toString(), "web:9080", "db:7000"));
        lab.await("the probe listens", Duration.ofSeconds(30), () -> Files.exists(socket));
        return new Probe(LocalApiClient.connect(socket));
    }

    /** What a request on a kept connection, one on a new connection, and a connection to the other service get. */
    String look() throws IOException {
        return connection.call("look");
    }

    @Override
    public void close() throws IOException {
        connection.close();
    }
}
