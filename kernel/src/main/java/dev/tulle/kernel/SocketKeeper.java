package dev.tulle.kernel;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/**
 * A process that does nothing but hold sockets, so that they stay bound, and what arrives waits in them, while the process
 * that serves them is exchanged or has been killed. It is {@code cat}, which reads a pipe that nobody writes to: it ends
 * when the last process that has the pipe's other end has. Who comes next takes the sockets from it as a debugger would
 * (kernel 5.6, CAP_SYS_PTRACE). Any thread.
 */
public final class SocketKeeper {
    /** Above every number that a keeper's descriptors get. */
    private static final int APART = 256;

    private SocketKeeper() {}

    /**
     * What a keeper holds. All are the caller's.
     *
     * @param udp the UDP sockets
     * @param tcp the listening TCP sockets
     */
    public record Kept(List<UdpPort> udp, List<TcpListener> tcp) {
        public Kept {
            udp = List.copyOf(udp);
            tcp = List.copyOf(tcp);
        }
    }

    /**
     * Starts a keeper. It enters its control group by itself, before it is {@code cat}: whatever becomes of this process
     * meanwhile, who comes next finds it there.
     *
     * @param life a pipe: opened for reading, it is the keeper's standard input
     * @param group the file by which processes enter the group ({@code cgroup.procs})
     * @return its pid
     * @throws BpfException when it cannot be started
     */
    public static long start(List<UdpPort> udp, List<TcpListener> tcp, Path life, Path group) {
        List<Fd> apart = new ArrayList<>();
        try {
            udp.forEach(port -> apart.add(apart(port.fd(), port.toString())));
            tcp.forEach(listener -> apart.add(apart(listener.fd(), listener.toString())));
            List<Integer> numbers = apart.stream().map(Fd::number).toList();
            List<String> command = List.of("sh", "-c", "echo $$ >\"$0\" && exec cat", group.toString());
            return BpfException.check(
                    SpawnCalls.spawn(command, life, numbers), "cannot start a process that holds sockets");
        } finally {
            apart.forEach(Fd::close);
        }
    }

    private static Fd apart(Fd fd, String what) {
        return Fd.own(LibC.duplicate(fd.number(), APART), what, "cannot duplicate the descriptor of " + what);
    }

    /**
     * Takes a second hold on all UDP and listening TCP sockets of a process; none when it has ended.
     *
     * @throws BpfException when that is not permitted
     */
    public static Kept takeFrom(long pid) {
        List<UdpPort> udp = new ArrayList<>();
        List<TcpListener> tcp = new ArrayList<>();
        for (int number : sockets(pid)) {
            try {
                int taken = TcpListener.duplicate((int) pid, number);
                if (UdpPort.isOne(taken)) {
                    udp.add(UdpPort.received(taken));
                } else {
                    tcp.add(TcpListener.received(taken));
                }
            } catch (BpfException e) {
                if (e.errno() != Errno.ESRCH) {
                    udp.forEach(UdpPort::close);
                    tcp.forEach(TcpListener::close);
                    throw e;
                }
            }
        }
        return new Kept(udp, tcp);
    }

    private static List<Integer> sockets(long pid) {
        List<Integer> numbers = new ArrayList<>();
        try (Stream<Path> open = Files.list(Path.of("/proc", Long.toString(pid), "fd"))) {
            for (Path descriptor : (Iterable<Path>) open::iterator) {
                if (isSocket(descriptor)) {
                    numbers.add(Integer.parseInt(String.valueOf(descriptor.getFileName())));
                }
            }
        } catch (IOException | UncheckedIOException e) {
            // The process has ended.
            return List.of();
        }
        return numbers;
    }

    private static boolean isSocket(Path descriptor) {
        try {
            return Files.readSymbolicLink(descriptor).toString().startsWith("socket:[");
        } catch (IOException e) {
            // Closed by now, as the files are that a program reads when it begins.
            return false;
        }
    }
}
