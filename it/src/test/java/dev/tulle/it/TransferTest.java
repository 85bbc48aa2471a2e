package dev.tulle.it;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.tulle.testkit.Command;
import dev.tulle.testkit.MeshLab;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Proves that bytes arrive whole and in order in every tier, also when the reader at either end pauses or stalls. */
@Tag("e2e")
class TransferTest {
    private static final int MIB = 1 << 20;

    /** Of all workloads: over TCP alone their bytes go in the other tiers. */
    private static final String SPLICE = "on";

    @ParameterizedTest
    @ValueSource(strings = {"splice", "redirect", "nftables", "explicit"})
    void bytesArriveWholeAndInOrder(String tier) throws Exception {
        try (MeshLab lab = MeshLab.start(tier)) {
            lab.workload(
                    "bytes",
                    List.of("--service", "bytes", "--port", "tcp:7000", "--splice", SPLICE),
                    List.of("python3", lab.program("transfer.py").toString(), "serve", "7000"));
            // The same bytes through the proxy: a port whose protocol must be detected.
            lab.workload(
                    "detected",
                    List.of("--service", "detected", "--port", "auto:7001", "--splice", SPLICE),
                    List.of("python3", lab.program("transfer.py").toString(), "serve", "7001"));
            lab.await(
                    "both serve",
                    Duration.ofSeconds(20),
                    () -> moves(lab, "get", "bytes", "7000", 1, "none")
                            && moves(lab, "get", "detected", "7001", 1, "none"));
            for (List<String> target : List.of(List.of("bytes", "7000"), List.of("detected", "7001"))) {
                for (String verb : List.of("put", "get")) {
                    check(lab, verb, target, MIB, "random");
                    check(lab, verb, target, tier.equals("splice") ? 1 << 30 : 256 * MIB, "random");
                    check(lab, verb, target, tier.equals("splice") ? 1 << 30 : 64 * MIB, "stall:2");
                }
            }
        }
    }

    private static void check(MeshLab lab, String verb, List<String> target, int size, String pause) throws Exception {
        Command.Result result = transfer(lab, verb, target.get(0), target.get(1), size, pause);
        assertEquals("ok " + size + "\n", result.out(), result.toString());
    }

    private static boolean moves(MeshLab lab, String verb, String host, String port, int size, String pause) {
        try {
            return transfer(lab, verb, host, port, size, pause).status() == 0;
        } catch (Exception e) {
            throw new AssertionError(e);
        }
    }

    private static Command.Result transfer(MeshLab lab, String verb, String host, String port, int size, String pause)
            throws Exception {
        return lab.tulle(
                        "run",
                        "--name",
                        "mover",
                        "--splice",
                        SPLICE,
                        "--",
                        "python3",
                        lab.program("transfer.py").toString(),
                        verb,
                        host,
                        port,
                        Integer.toString(size),
                        pause)
                .within(Duration.ofMinutes(2))
                .run();
    }
}
