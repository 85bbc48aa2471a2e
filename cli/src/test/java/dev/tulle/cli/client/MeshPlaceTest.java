package dev.tulle.cli.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import picocli.CommandLine;

class MeshPlaceTest {
    private static MeshPlace place(Map<String, String> environment, String... options) {
        MeshPlace place = new MeshPlace(environment);
        CommandLine.populateCommand(place, options);
        return place;
    }

    @Test
    void withoutAnythingItIsTheMeshTulle() {
        MeshPlace place = place(Map.of());

        assertEquals("tulle", place.mesh());
        assertEquals(Path.of("/run/tulle/control.sock"), place.controlSocket());
        assertEquals(Path.of("/run/tulle/agent.sock"), place.agentSocket());
    }

    @Test
    void optionsWinOverTheEnvironment() {
        Map<String, String> environment = Map.of("TULLE_MESH", "a", "TULLE_RUN_DIR", "/x");

        assertEquals(Path.of("/x"), place(environment).runDirectory());
        assertEquals("a", place(environment).mesh());
        assertEquals(Path.of("/run/b"), place(environment, "--mesh", "b").runDirectory());
        assertEquals(Path.of("/y"), place(environment, "--run-dir", "/y").runDirectory());
    }

    @Test
    void aNameThatCouldLeaveItsFolderIsRefused() {
        for (String name : new String[] {"../etc", "A", "", "9", "a/b", "a".repeat(33)}) {
            assertEquals(
                    CommandFailure.USAGE,
                    assertThrows(CommandFailure.class, () -> place(Map.of("TULLE_MESH", name))
                                    .mesh())
                            .status(),
                    name);
        }
    }
}
