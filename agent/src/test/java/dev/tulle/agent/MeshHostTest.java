package dev.tulle.agent;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.tulle.agent.tier.Tier;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.io.TempDir;

/** Tests with a mesh on this host, of which nothing may be left afterwards; needs root. */
abstract class MeshHostTest {
    @TempDir
    Path dir;

    private @Nullable MeshHost made;

    @BeforeEach
    void makeHost() throws IOException {
        made = new MeshHost(dir, Optional.of(Tier.SPLICE));
        NodeAgent.detachAll(host().options);
    }

    MeshHost host() {
        return Objects.requireNonNull(made);
    }

    @AfterEach
    void removeHost() throws IOException {
        host().close();
        assertEquals(List.of(), host().traces());
        assertEquals(List.of(), NodeAgent.detachAll(host().options), "detaching again finds nothing to complain about");
    }
}
