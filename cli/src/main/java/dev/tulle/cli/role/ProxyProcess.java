package dev.tulle.cli.role;

import java.io.File;
import java.io.IOException;
import java.util.List;
import java.util.Map;

/** A proxy that this process has started, by whatever means. Safe for any thread. */
interface ProxyProcess {
    /** Its process id, the same for its whole life. */
    long pid();

    /** Whether it still runs. */
    boolean isAlive();

    /** How it ended, as the end of a sentence about it; called when it has. */
    String end();

    /** Ends it at once. */
    void kill();

    /** Runs something, on any thread, when it has ended. */
    void whenEnded(Runnable then);

    /**
     * A child of this process.
     *
     * @param command its last process being the proxy itself under the first one's pid
     * @throws IOException when it cannot be started
     */
    static ProxyProcess child(List<String> command) throws IOException {
        ProcessBuilder builder = new ProcessBuilder(command)
                .directory(new File("/"))
                .redirectInput(ProcessBuilder.Redirect.from(new File("/dev/null")))
                .redirectOutput(ProcessBuilder.Redirect.INHERIT)
                .redirectError(ProcessBuilder.Redirect.INHERIT);
        // Nothing of the environment of root's session is the proxy's business.
        Map<String, String> environment = builder.environment();
        environment.keySet().retainAll(List.of("PATH", "LANG", "TZ"));
        return new Child(builder.start());
    }

    /**
     * A child, whose exit status is known.
     *
     * @param process it
     */
    record Child(Process process) implements ProxyProcess {
        @Override
        public long pid() {
            return process.pid();
        }

        @Override
        public boolean isAlive() {
            return process.isAlive();
        }

        @Override
        public String end() {
            int status = process.exitValue();
            return status > 128 ? "was killed by signal " + (status - 128) : "ended with status " + status;
        }

        @Override
        public void kill() {
            process.destroyForcibly();
        }

        @Override
        public void whenEnded(Runnable then) {
            var _ = process.onExit().thenRun(then);
        }
    }
}
