package dev.tulle.kernel;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** The network namespace that this process is in. Any thread. */
public final class NetworkNamespace {
    private static final int AF_INET = 2;
    private static final int SOCK_DGRAM_CLOEXEC = 2 | 0x80000;
    private static final int SOL_SOCKET = 1;
    private static final int SO_NETNS_COOKIE = 71;

    private NetworkNamespace() {}

    /**
     * The number by which eBPF programs know it ({@code bpf_get_netns_cookie}).
     *
     * @throws BpfException where the kernel does not tell (before 5.14)
     */
    public static long cookie() {
        try (Fd socket = Fd.own(
                        LibC.socket(AF_INET, SOCK_DGRAM_CLOEXEC, 0),
                        "socket of the network namespace",
                        "cannot open a socket");
                Arena arena = Arena.ofConfined()) {
            MemorySegment cookie = arena.allocate(ValueLayout.JAVA_LONG);
            BpfException.check(
                    LibC.socketOption(socket.number(), SOL_SOCKET, SO_NETNS_COOKIE, cookie),
                    "cannot ask for the network namespace's number");
            return cookie.get(ValueLayout.JAVA_LONG, 0);
        }
    }
}
