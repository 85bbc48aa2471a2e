package dev.tulle.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.testkit.Command;
import dev.tulle.testkit.MeshLab;
import io.spiffe.exception.X509SourceException;
import io.spiffe.svid.x509svid.X509Svid;
import io.spiffe.svid.x509svid.X509SvidValidator;
import io.spiffe.workloadapi.DefaultX509Source;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * A workload of a whole mesh gets its certificate by SPIFFE's Workload API, as a user without any permission; a process in
 * no workload gets none. The client is java-spiffe in this process, which a process of the workload connects for.
 */
@Tag("e2e")
class WorkloadApiTest {
    private static final String NOBODY = "65534";

    @Test
    void aWorkloadGetsItsOwnCertificateAndNobodyElseOne() throws Exception {
        try (MeshLab lab = MeshLab.start(null)) {
            Path places = Files.createDirectory(lab.folder().resolve("places"));
            Files.setPosixFilePermissions(places, PosixFilePermissions.fromString("rwxrwxrwx"));
            lab.workload("reviews", List.of("--service-account", "critic"), passing(lab, places.resolve("inside")));
            X509Svid svid = fetch(lab, places.resolve("inside"));
            assertEquals(
                    "spiffe://cluster.local/ns/default/sa/critic",
                    svid.getSpiffeId().toString());
            String number = svid.getLeaf().getSerialNumber().toString(16);
            String listed = lab.tulle("certificates list").run().out();
            assertTrue(
                    listed.contains("spiffe://cluster.local/ns/default/sa/critic") && listed.contains(number), listed);

            Process outside = new ProcessBuilder(passing(lab, places.resolve("outside"))).start();
            try {
                lab.await("it listens", Duration.ofSeconds(20), () -> Files.exists(places.resolve("outside")));
                assertThrows(X509SourceException.class, () -> fetch(lab, places.resolve("outside")));
            } finally {
                outside.destroyForcibly().waitFor();
            }

            // What is not for everybody stays closed to this user.
            for (String socket : List.of("sds.sock", "agent.sock", "xds.sock", "node.sock")) {
                Command.Result refused = Command.of(
                                "setpriv",
                                "--reuid=" + NOBODY,
                                "--regid=" + NOBODY,
                                "--clear-groups",
                                "/usr/bin/python3",
                                "-c",
                                "import socket,sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])",
                                lab.folder().resolve("run").resolve(socket).toString())
                        .run();
                assertTrue(refused.err().contains("PermissionError"), refused.toString());
            }
        }
    }

    private static List<String> passing(MeshLab lab, Path place) throws Exception {
        return List.of(
                "setpriv",
                "--reuid=" + NOBODY,
                "--regid=" + NOBODY,
                "--clear-groups",
                "/usr/bin/python3",
                lab.program("passing.py").toString(),
                place.toString(),
                lab.folder().resolve("run/workload.sock").toString());
    }

    private static X509Svid fetch(MeshLab lab, Path place) throws Exception {
        lab.await("somebody passes on", Duration.ofSeconds(20), () -> Files.exists(place));
        try (DefaultX509Source source = DefaultX509Source.newSource(DefaultX509Source.X509SourceOptions.builder()
                .spiffeSocketPath("unix:" + place)
                .initTimeout(Duration.ofSeconds(20))
                .build())) {
            X509SvidValidator.verifyChain(source.getX509Svid().getChain(), source);
            return source.getX509Svid();
        }
    }
}
