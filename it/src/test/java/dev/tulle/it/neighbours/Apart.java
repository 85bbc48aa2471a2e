package dev.tulle.it.neighbours;

import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * Programs whose use of processors is charged to nobody else. The idle priority alone does not do: where the kernel shares
 * processors out among sessions first (autogroup), what one program of a session uses is taken from all of that session. So
 * each has a session of its own.
 */
final class Apart {
    private Apart() {}

    /** The command so that it runs apart. */
    static List<String> command(List<String> command) {
        List<String> words = new ArrayList<>(List.of("setsid", "chrt", "--idle", "0"));
        words.addAll(command);
        return words;
    }

    /** What a process uses of the processors from now on. */
    record Work(ProcessHandle process, Duration before, long begunNanos) {
        static Work of(Process process) {
            return new Work(process.toHandle(), used(process.toHandle()), System.nanoTime());
        }

        /** Of one processor; 0 of a process that has ended. */
        double share() {
            return (double) Math.max(0, used(process).minus(before).toNanos()) / (System.nanoTime() - begunNanos);
        }

        private static Duration used(ProcessHandle process) {
            return process.info().totalCpuDuration().orElse(Duration.ZERO);
        }
    }

    /** Programs that use these shares of a processor for so long, each apart, outside of every mesh. */
    static Burners burn(String program, int seconds, double... shares) throws IOException {
        List<Process> burning = new ArrayList<>();
        for (double share : shares) {
            burning.add(new ProcessBuilder(command(List.of(
                            "python3",
                            program,
                            "burn",
                            String.format(Locale.ROOT, "%.3f", share),
                            Integer.toString(seconds + 5))))
                    .inheritIO()
                    .start());
        }
        return new Burners(burning);
    }

    /** They end with their closing. */
    record Burners(List<Process> processes) implements AutoCloseable {
        @Override
        public void close() throws InterruptedException {
            for (Process process : processes) {
                process.destroyForcibly().waitFor();
            }
        }
    }
}
