package dev.tulle.kernel;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.net.StandardSocketOptions;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ThreadLocalRandom;
import java.util.stream.Stream;

/**
 * Who is at the other end of a Unix-domain connection, as the kernel noted it when the peer connected: it cannot be
 * forged. A pid can have been reused since; compare what matters (cgroup, start time) at once.
 *
 * @param pid in this process's pid namespace; 0 if the peer is outside it
 * @param uid effective user of the peer at connect
 * @param gid effective group of the peer at connect
 */
public record PeerCredentials(long pid, int uid, int gid) {
    private static final Path DESCRIPTORS = Path.of("/proc/self/fd");
    private static final int SOL_SOCKET = 1;
    private static final int SO_LINGER = 13;
    private static final int SO_PEERCRED = 17;
    private static final int SO_DOMAIN = 39;
    private static final int AF_UNIX = 1;
    private static final int TRIES = 4;

    /**
     * Reads the credentials of an accepted (or connected) channel. Any thread, one at a time; the channel must stay open
     * meanwhile. About 0.1 ms: for calls per connection, not per message.
     *
     * <p>The JDK's own option gives names of user and group but no pid, and hands out no descriptor. So the channel is
     * marked through the JDK with a linger time that no other socket has (linger means nothing on Unix-domain sockets),
     * and the descriptor that carries the mark is asked.
     */
    public static PeerCredentials of(SocketChannel channel) throws IOException {
        if (!(channel.getRemoteAddress() instanceof UnixDomainSocketAddress)) {
            throw new IllegalArgumentException(channel + " is not a connected Unix-domain channel");
        }
        synchronized (PeerCredentials.class) {
            Integer before = channel.getOption(StandardSocketOptions.SO_LINGER);
            try {
                for (int i = 0; i < TRIES; i++) {
                    int mark = ThreadLocalRandom.current().nextInt(10_000, 60_000);
                    channel.setOption(StandardSocketOptions.SO_LINGER, mark);
                    List<Integer> marked = marked(mark);
                    if (marked.size() == 1) {
                        return read(marked.getFirst());
                    }
                }
            } finally {
                channel.setOption(StandardSocketOptions.SO_LINGER, before == null ? -1 : before);
            }
        }
        throw new IOException("cannot tell which descriptor belongs to " + channel);
    }

    private static List<Integer> marked(int mark) throws IOException {
        List<Integer> found = new ArrayList<>();
        try (Stream<Path> open = Files.list(DESCRIPTORS);
                Arena arena = Arena.ofConfined()) {
            MemorySegment domain = arena.allocate(ValueLayout.JAVA_INT);
            MemorySegment linger = arena.allocate(ValueLayout.JAVA_INT, 2);
            for (Path path : (Iterable<Path>) open::iterator) {
                int fd = Integer.parseInt(path.getFileName().toString());
                // ENOTSOCK and EBADF (closed meanwhile) just mean: not this one
                if (LibC.socketOption(fd, SOL_SOCKET, SO_DOMAIN, domain) == 0
                        && domain.get(ValueLayout.JAVA_INT, 0) == AF_UNIX
                        && LibC.socketOption(fd, SOL_SOCKET, SO_LINGER, linger) == 0
                        && linger.get(ValueLayout.JAVA_INT, 0) != 0
                        && linger.get(ValueLayout.JAVA_INT, Integer.BYTES) == mark) {
                    found.add(fd);
                }
            }
        }
        return found;
    }

    static PeerCredentials read(int fd) {
        try (Arena arena = Arena.ofConfined()) {
            // struct ucred { pid_t pid; uid_t uid; gid_t gid; }
            MemorySegment credentials = arena.allocate(ValueLayout.JAVA_INT, 3);
            BpfException.check(
                    LibC.socketOption(fd, SOL_SOCKET, SO_PEERCRED, credentials), "cannot read the peer's credentials");
            return new PeerCredentials(
                    credentials.get(ValueLayout.JAVA_INT, 0) & 0xffffffffL,
                    credentials.get(ValueLayout.JAVA_INT, 4),
                    credentials.get(ValueLayout.JAVA_INT, 8));
        }
    }
}
