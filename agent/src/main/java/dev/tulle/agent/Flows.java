package dev.tulle.agent;

import dev.tulle.agent.datapath.KernelEvent;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;

/** The last {@value #KEPT} things that the kernel reported. Thread-safe. */
final class Flows {
    /** Events kept. */
    static final int KEPT = 1024;

    private static final System.Logger LOG = System.getLogger(Flows.class.getName());

    private final ArrayDeque<Flow> flows = new ArrayDeque<>();

    /** An event and when it was read. */
    record Flow(Instant time, KernelEvent event) {}

    void add(KernelEvent event) {
        LOG.log(System.Logger.Level.DEBUG, event.toString());
        synchronized (flows) {
            if (flows.size() >= KEPT) {
                flows.removeFirst();
            }
            flows.addLast(new Flow(Instant.now(), event));
        }
    }

    /** The newest ones, oldest first. */
    List<Flow> last(int most) {
        synchronized (flows) {
            List<Flow> all = new ArrayList<>(flows);
            return List.copyOf(all.subList(Math.max(0, all.size() - most), all.size()));
        }
    }
}
