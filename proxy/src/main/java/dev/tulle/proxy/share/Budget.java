package dev.tulle.proxy.share;

import com.sun.management.UnixOperatingSystemMXBean;
import dev.tulle.telemetry.AccessLog;
import io.netty.util.internal.PlatformDependent;
import java.lang.management.ManagementFactory;

/**
 * What the proxy has to give away. A client may take as much as it leaves to the others together, and always the
 * minimum: one greedy client gets half of everything, two a third each, and there is something left for whoever comes.
 *
 * @param connections client connections in all, each with one to an endpoint
 * @param minConnections what every client may have, whatever the others do
 * @param stalledBytes buffered bytes in all that wait for peers who do not read
 * @param minStalledBytes what every client may have of them
 * @param logLines access log lines of one client a second
 * @param logBurst lines at once
 */
public record Budget(
        int connections, int minConnections, long stalledBytes, long minStalledBytes, int logLines, int logBurst) {
    /** Descriptors for everything that is no client's: listeners, the control plane, pages, files, libraries. */
    private static final int RESERVED = 512;

    /**
     * Bytes of the heap for each client connection: what it keeps with its endpoint's, heads of the common size included,
     * and as much again.
     */
    private static final int HEAP_OF_CONNECTION = 16 << 10;

    /** The writer manages some ten times as many. */
    private static final int LOG_LINES = 10_000;

    /** Half of what waits for the writer at most: one client does not fill the queue. */
    private static final int LOG_BURST = AccessLog.QUEUE / 2;

    /** Of this process: its limits of open files, of direct memory and of the heap. */
    public static Budget ofProcess() {
        long files = ManagementFactory.getOperatingSystemMXBean() instanceof UnixOperatingSystemMXBean unix
                ? unix.getMaxFileDescriptorCount()
                : 1024;
        return of(
                files, PlatformDependent.maxDirectMemory(), Runtime.getRuntime().maxMemory());
    }

    /** Of a process with these limits. */
    static Budget of(long files, long directBytes, long heapBytes) {
        long reserve = Math.max(Math.min(RESERVED, files / 4), files / 16);
        long most = Math.min((files - reserve) / 2, heapBytes / HEAP_OF_CONNECTION);
        int connections = Math.clamp(most, 2, 1 << 24);
        long stalled = directBytes / 2;
        return new Budget(
                connections,
                Math.clamp(connections / 64, 1, 256),
                stalled,
                Math.min(1 << 20, stalled / 16),
                LOG_LINES,
                LOG_BURST);
    }

    /** True when a client that has so many connections, one of so many in all, may have another. */
    boolean allowsConnection(int own, int all) {
        return all < connections && own < Math.max(minConnections, connections - all);
    }

    /** True when that many stalled bytes are more than what a client may have whatever the others do. */
    boolean isBeyondMinimum(long stalled) {
        return stalled > minStalledBytes;
    }

    /** True when a client may have so many stalled bytes, part of so many in all. */
    boolean allowsStalled(long own, long all) {
        return own <= Math.max(minStalledBytes, stalledBytes - all);
    }
}
