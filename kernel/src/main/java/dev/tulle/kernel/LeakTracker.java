package dev.tulle.kernel;

import java.util.Comparator;
import java.util.List;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Knows every descriptor, arena and thread of this module that is open now, and where it was opened. Any thread.
 *
 * <p>Counting is always on; the open site costs a stack walk and is kept only after {@link #captureSites}. A test run
 * compares {@link #open()} before and after and fails on a difference.
 */
public final class LeakTracker {
    private static final ConcurrentHashMap<Long, Resource> OPEN = new ConcurrentHashMap<>();
    private static final AtomicLong NEXT = new AtomicLong(1);
    private static volatile boolean captureSites = Boolean.getBoolean("tulle.leaks");

    private LeakTracker() {}

    /**
     * One open resource.
     *
     * @param id order of opening, unique in this process
     * @param kind what it is: descriptor, arena, thread
     * @param what the object behind it, such as {@code map tulle_services}
     * @param site the frames that opened it, innermost first; empty unless sites are captured
     */
    public record Resource(long id, String kind, String what, List<String> site) {
        public Resource {
            site = List.copyOf(site);
        }

        @Override
        public String toString() {
            return kind + " of " + what + " #" + id + (site.isEmpty() ? "" : "\n    " + String.join("\n    ", site));
        }
    }

    /** Turns the recording of open sites on or off (also: {@code -Dtulle.leaks=true} at launch). */
    public static void captureSites(boolean on) {
        captureSites = on;
    }

    /** What is open now, oldest first. */
    public static List<Resource> open() {
        return OPEN.values().stream()
                .sorted(Comparator.comparingLong(Resource::id))
                .toList();
    }

    /** Throws {@link IllegalStateException} that lists what is open and was not in {@code before}. */
    public static void assertNoneSince(List<Resource> before) {
        List<Resource> leaked = open().stream().filter(r -> !before.contains(r)).toList();
        if (!leaked.isEmpty()) {
            StringBuilder text = new StringBuilder("leaked " + leaked.size() + " kernel resource(s):");
            leaked.forEach(r -> text.append("\n  ").append(r));
            throw new IllegalStateException(text.toString());
        }
    }

    static long opened(String kind, String what) {
        long id = NEXT.getAndIncrement();
        OPEN.put(id, new Resource(id, kind, what, captureSites ? site() : List.of()));
        return id;
    }

    static void closed(long id) {
        OPEN.remove(id);
    }

    private static List<String> site() {
        return StackWalker.getInstance().walk(frames -> frames.skip(2)
                .limit(12)
                .map(StackWalker.StackFrame::toString)
                .toList());
    }
}
