package dev.tulle.agent.ports;

import dev.tulle.kernel.BpfException;
import dev.tulle.kernel.SockDiag;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/** Says in words who listens where somebody else wanted to. Any thread; takes some milliseconds a hundred processes. */
final class PortOwner {
    private static final Path PROC = Path.of("/proc");

    private PortOwner() {}

    /** Whose socket keeps an address from being bound: {@code process 1234 (nginx)}, or that it cannot be told. */
    static String of(InetSocketAddress wanted) {
        try (SockDiag sockets = SockDiag.open()) {
            Optional<SockDiag.Listener> found = sockets.listeners().stream()
                    .filter(listener -> conflicts(listener.address(), wanted))
                    .findFirst();
            if (found.isEmpty()) {
                return "a process that has bound it without listening";
            }
            return process(found.get().inode())
                    .orElse("a process that cannot be told, of user "
                            + found.get().uid());
        } catch (BpfException e) {
            return "a process that cannot be told (" + e.getMessage() + ")";
        }
    }

    /** A wildcard of IPv6 may serve IPv4 as well. */
    static boolean conflicts(InetSocketAddress held, InetSocketAddress wanted) {
        boolean wildcard =
                held.getAddress().isAnyLocalAddress() || wanted.getAddress().isAnyLocalAddress();
        return held.getPort() == wanted.getPort()
                && (wildcard || held.getAddress().equals(wanted.getAddress()));
    }

    private static Optional<String> process(long inode) {
        String wanted = "socket:[" + inode + "]";
        try (DirectoryStream<Path> processes = Files.newDirectoryStream(PROC, "[0-9]*")) {
            for (Path process : processes) {
                if (holds(process, wanted)) {
                    String name = Files.readString(process.resolve("comm")).strip();
                    return Optional.of("process " + process.getFileName() + " (" + name + ")");
                }
            }
        } catch (IOException e) {
            System.getLogger(PortOwner.class.getName()).log(System.Logger.Level.DEBUG, "who listens", e);
        }
        return Optional.empty();
    }

    private static boolean holds(Path process, String socket) {
        try (DirectoryStream<Path> open = Files.newDirectoryStream(process.resolve("fd"))) {
            for (Path descriptor : open) {
                if (isLink(descriptor, socket)) {
                    return true;
                }
            }
        } catch (IOException e) {
            // It has ended meanwhile.
            return false;
        }
        return false;
    }

    private static boolean isLink(Path descriptor, String target) {
        try {
            return Files.readSymbolicLink(descriptor).toString().equals(target);
        } catch (IOException e) {
            return false;
        }
    }
}
