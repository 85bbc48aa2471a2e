package dev.tulle.it.fuzz;

import static org.junit.jupiter.api.Assertions.assertFalse;

import dev.tulle.testkit.MeshLab;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/**
 * Replays the seeds and the kept corpus of every fuzz target, each input as it is, cut, and doubled. {@code it/fuzz/run}
 * looks for new ones.
 */
class FuzzCorpusTest {
    private static final Path CORPUS = MeshLab.home().resolve("it/fuzz/corpus");

    @TestFactory
    Stream<DynamicTest> everyTargetHoldsForItsCorpus() throws Exception {
        List<Class<?>> targets = Targets.all();
        assertFalse(targets.isEmpty(), "targets");
        return targets.stream().map(target -> DynamicTest.dynamicTest(target.getSimpleName(), () -> replay(target)));
    }

    private static void replay(Class<?> target) throws Exception {
        List<byte[]> inputs = new ArrayList<>(Targets.seeds(target));
        assertFalse(inputs.isEmpty(), "seeds of " + target.getSimpleName());
        inputs.addAll(Targets.corpus(target, CORPUS));
        inputs.add(new byte[0]);
        for (byte[] input : inputs) {
            byte[] doubled = java.util.Arrays.copyOf(input, 2 * input.length);
            System.arraycopy(input, 0, doubled, input.length, input.length);
            for (byte[] one : List.of(input, java.util.Arrays.copyOf(input, input.length / 2), doubled)) {
                try {
                    Targets.run(target, one);
                } catch (Throwable e) {
                    throw new AssertionError(
                            target.getSimpleName() + " fails for "
                                    + HexFormat.of().formatHex(one, 0, Math.min(one.length, 2_000)),
                            e);
                }
            }
        }
    }
}
