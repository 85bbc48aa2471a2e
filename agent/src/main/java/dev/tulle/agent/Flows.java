package dev.tulle.agent;

import dev.tulle.agent.datapath.KernelEvent;
import dev.tulle.telemetry.AccessLogEntry;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.Comparator;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Stream;

/**
 * The last {@value #KEPT} things that the kernel reported, and as many sampled requests: neither pushes the other out.
 * Thread-safe.
 */
final class Flows {
    /** Events, and requests, kept. */
    static final int KEPT = 1024;

    private static final System.Logger LOG = System.getLogger(Flows.class.getName());

    private final AtomicLong numbers = new AtomicLong();
    private final Deque<Flow> events = new ArrayDeque<>();
    private final Deque<Flow> requests = new ArrayDeque<>();

    /** Something that passed, or did not. */
    sealed interface Flow {
        /** When it was reported; a request: when it came. */
        Instant time();

        /** Counted from 1 in the order of the reports. */
        long number();

        /** What a program reported. */
        record Event(long number, Instant time, KernelEvent event) implements Flow {}

        /** A sampled request. */
        record Request(long number, Instant time, AccessLogEntry entry) implements Flow {}
    }

    void add(KernelEvent event) {
        LOG.log(System.Logger.Level.DEBUG, event.toString());
        add(events, new Flow.Event(numbers.incrementAndGet(), Instant.now(), event));
    }

    void add(AccessLogEntry entry) {
        add(requests, new Flow.Request(numbers.incrementAndGet(), Instant.ofEpochMilli(entry.startMillis()), entry));
    }

    private static void add(Deque<Flow> to, Flow flow) {
        synchronized (to) {
            if (to.size() >= KEPT) {
                to.removeFirst();
            }
            to.addLast(flow);
        }
    }

    private static List<Flow> copy(Deque<Flow> of) {
        synchronized (of) {
            return List.copyOf(of);
        }
    }

    /** The newest ones, oldest first. */
    List<Flow> last(int most) {
        return last(most, 0);
    }

    /** The newest ones that were reported after the one with this number, oldest first. */
    List<Flow> last(int most, long after) {
        List<Flow> all = Stream.concat(copy(events).stream(), copy(requests).stream())
                .filter(flow -> flow.number() > after)
                .sorted(Comparator.comparing(Flow::time))
                .toList();
        return all.subList(Math.max(0, all.size() - most), all.size());
    }
}
