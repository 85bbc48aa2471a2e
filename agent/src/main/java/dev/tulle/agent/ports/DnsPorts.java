package dev.tulle.agent.ports;

import dev.tulle.agent.host.Cgroups;
import dev.tulle.kernel.BpfException;
import dev.tulle.kernel.Errno;
import dev.tulle.kernel.SocketKeeper;
import dev.tulle.kernel.TcpListener;
import dev.tulle.kernel.UdpPort;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;

/**
 * The sockets at which the agent answers look-ups. A process of its own holds them as well ({@link SocketKeeper}), alone
 * in a control group: while one agent ends and the next begins, also by a kill, questions wait in them instead of being
 * refused, for as long as the launcher lives. Not for the proxy's hands, which hold the other ports meanwhile: who has
 * these can tell workloads any address.
 */
public final class DnsPorts implements AutoCloseable {
    /** Bytes of questions that may wait in a socket; the kernel may allow less. */
    private static final int BUFFER = 4 << 20;

    private static final int BACKLOG = 128;
    private static final int DYING_MILLIS = 1_000;
    private static final System.Logger LOG = System.getLogger(DnsPorts.class.getName());

    private final List<UdpPort> udp = new ArrayList<>();
    private final List<TcpListener> tcp = new ArrayList<>();

    private DnsPorts() {}

    /**
     * Opens the sockets.
     *
     * @throws IOException with one sentence that names who has one; nothing stays open then
     */
    public static DnsPorts open(List<InetAddress> addresses, int port) throws IOException {
        DnsPorts ports = new DnsPorts();
        try {
            ports.complete(addresses, port);
            return ports;
        } catch (IOException | RuntimeException e) {
            ports.close();
            throw e;
        }
    }

    /**
     * Takes the sockets that a process in this group keeps, and opens those that none does.
     *
     * @throws IOException with one sentence that names who has one; nothing stays open then
     */
    public static DnsPorts take(List<InetAddress> addresses, int port, Cgroups cgroups, String group)
            throws IOException {
        DnsPorts ports = new DnsPorts();
        try {
            for (long keeper : cgroups.processes(group)) {
                ports.takeFrom(keeper, addresses, port);
            }
            if (Math.min(ports.udp.size(), ports.tcp.size()) < addresses.size()) {
                // Who keeps others, is just ending or lets nobody take them must not be in the way of new ones.
                end(cgroups, group);
            }
            ports.complete(addresses, port);
            return ports;
        } catch (IOException | RuntimeException e) {
            ports.close();
            throw e;
        }
    }

    private void takeFrom(long keeper, List<InetAddress> addresses, int port) {
        try {
            SocketKeeper.Kept kept = SocketKeeper.takeFrom(keeper);
            kept.udp().forEach(one -> takeOrClose(udp, one, UdpPort::address, addresses, port));
            kept.tcp().forEach(one -> takeOrClose(tcp, one, TcpListener::address, addresses, port));
        } catch (BpfException e) {
            LOG.log(System.Logger.Level.WARNING, "look-ups that waited for this agent fail: " + e.getMessage());
        }
    }

    private static <T extends AutoCloseable> void takeOrClose(
            List<T> all, T one, Function<T, InetSocketAddress> address, List<InetAddress> addresses, int port) {
        InetSocketAddress its = address.apply(one);
        if (its.getPort() == port && addresses.contains(its.getAddress()) && !has(all, address, its)) {
            all.add(one);
        } else {
            closeQuietly(one);
        }
    }

    private static <T> boolean has(List<T> all, Function<T, InetSocketAddress> address, InetSocketAddress wanted) {
        return all.stream().anyMatch(one -> address.apply(one).equals(wanted));
    }

    private void complete(List<InetAddress> addresses, int port) throws IOException {
        for (InetAddress one : addresses) {
            InetSocketAddress address = new InetSocketAddress(one, port);
            try {
                if (!has(udp, UdpPort::address, address)) {
                    udp.add(UdpPort.open(address, BUFFER));
                }
                if (!has(tcp, TcpListener::address, address)) {
                    tcp.add(TcpListener.open(address, BACKLOG));
                }
            } catch (BpfException e) {
                String where = "DNS on " + one.getHostAddress() + " port " + port;
                throw new IOException(
                        e.errno() == Errno.EADDRINUSE
                                ? where + " is in use by " + PortOwner.of(address)
                                : where + " cannot be served: " + e.getMessage(),
                        e);
            }
        }
    }

    /**
     * Has a new process keep the sockets from now on, and ends those that kept them before.
     *
     * @param life a pipe that its other end's last process ends; empty: nobody keeps them
     */
    public void keep(Optional<Path> life, Cgroups cgroups, String group) {
        try {
            List<Long> before = cgroups.processes(group);
            if (life.isPresent()) {
                start(life.get(), cgroups, group);
            }
            before.forEach(DnsPorts::kill);
        } catch (IOException | BpfException e) {
            LOG.log(
                    System.Logger.Level.WARNING,
                    "look-ups will fail while this agent is exchanged for another: " + e.getMessage());
        }
    }

    private void start(Path life, Cgroups cgroups, String group) throws IOException {
        cgroups.create(group);
        long keeper =
                SocketKeeper.start(udp, tcp, life, cgroups.directory(group).resolve("cgroup.procs"));
        try {
            cgroups.move(keeper, group);
        } catch (IOException e) {
            // The next agent would not find it, and could not have the ports either.
            kill(keeper);
            throw e;
        }
    }

    /** Ends what keeps the sockets of a mesh without an agent; nothing happens where none does. */
    public static void end(Cgroups cgroups, String group) throws IOException {
        for (int waited = 0; waited < DYING_MILLIS; waited += 10) {
            List<Long> keepers = cgroups.processes(group);
            if (keepers.isEmpty()) {
                return;
            }
            keepers.forEach(DnsPorts::kill);
            try {
                Thread.sleep(10);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                return;
            }
        }
        throw new IOException(
                "process " + cgroups.processes(group) + " keeps the sockets for look-ups and does not end");
    }

    private static void kill(long pid) {
        ProcessHandle.of(pid).ifPresent(ProcessHandle::destroyForcibly);
    }

    /** The UDP sockets. Do not close. */
    public List<UdpPort> udp() {
        return List.copyOf(udp);
    }

    /** The listening TCP sockets. Do not close. */
    public List<TcpListener> tcp() {
        return List.copyOf(tcp);
    }

    private static void closeQuietly(AutoCloseable one) {
        try {
            one.close();
        } catch (Exception e) {
            LOG.log(System.Logger.Level.DEBUG, "close", e);
        }
    }

    /** Ends this process's hold; what keeps the sockets goes on. Idempotent. */
    @Override
    public void close() {
        udp.forEach(UdpPort::close);
        tcp.forEach(TcpListener::close);
        udp.clear();
        tcp.clear();
    }
}
