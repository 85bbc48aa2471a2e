package dev.tulle.proxy.accept;

import dev.tulle.common.LocalApiClient;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Deque;
import java.util.concurrent.ConcurrentLinkedDeque;
import java.util.concurrent.Semaphore;

/**
 * Questions to the agent. The connections to it are kept: it takes so many of one user, and of a burst of short ones some
 * would be refused while those before are still being closed there. Any thread; questions block.
 */
final class AgentLine implements AutoCloseable {
    /** Questions at once. Far fewer than the agent takes connections of a user, of whom several processes may be draining. */
    static final int MAX = 16;

    private static final System.Logger LOG = System.getLogger(AgentLine.class.getName());

    private final Path agent;
    private final Semaphore places = new Semaphore(MAX);
    private final Deque<LocalApiClient> idle = new ConcurrentLinkedDeque<>();
    private volatile boolean keeps = true;

    AgentLine(Path agent) {
        this.agent = agent;
    }

    /**
     * Asks and waits.
     *
     * @throws IOException when the agent cannot be reached or does not answer
     */
    String ask(String question) throws IOException {
        places.acquireUninterruptibly();
        try {
            LocalApiClient kept = idle.pollLast();
            if (kept != null) {
                try {
                    return ask(kept, question);
                } catch (IOException e) {
                    // The agent that it led to has ended since.
                    LOG.log(System.Logger.Level.DEBUG, "a kept connection to the agent", e);
                }
            }
            return ask(LocalApiClient.connect(agent), question);
        } finally {
            places.release();
        }
    }

    private String ask(LocalApiClient client, String question) throws IOException {
        boolean answered = false;
        try {
            String answer = client.call(question);
            answered = true;
            return answer;
        } finally {
            if (answered) {
                idle.addLast(client);
                if (!keeps) {
                    closeIdle();
                }
            } else {
                client.close();
            }
        }
    }

    private void closeIdle() {
        for (LocalApiClient client = idle.pollLast(); client != null; client = idle.pollLast()) {
            try {
                client.close();
            } catch (IOException e) {
                LOG.log(System.Logger.Level.DEBUG, "close", e);
            }
        }
    }

    /** Keeps no connections any more; questions can still be asked. */
    @Override
    public void close() {
        keeps = false;
        closeIdle();
    }
}
