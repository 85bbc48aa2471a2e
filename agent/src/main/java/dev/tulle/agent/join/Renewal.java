package dev.tulle.agent.join;

import dev.tulle.agent.identity.CertificateSource;
import java.time.Duration;

/** Looks now and then whether the node's certificate is to be renewed, on a virtual thread of its own. */
public final class Renewal implements AutoCloseable {
    /** Certificates hold for a minute at least. */
    private static final Duration LOOK = Duration.ofSeconds(5);

    private final Thread thread;

    private Renewal(Thread thread) {
        this.thread = thread;
    }

    /** Begins. */
    public static Renewal start(LiveMembership membership, CertificateSource source) {
        return new Renewal(Thread.ofVirtual().name("membership").start(() -> {
            try {
                while (true) {
                    Thread.sleep(LOOK);
                    membership.renewIfDue(source);
                }
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }));
    }

    @Override
    public void close() {
        thread.interrupt();
    }
}
