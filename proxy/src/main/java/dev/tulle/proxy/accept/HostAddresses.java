package dev.tulle.proxy.accept;

import java.net.InetAddress;
import java.net.NetworkInterface;
import java.net.SocketException;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;

/** The addresses of this host, read again every few seconds. Any thread. */
final class HostAddresses {
    private static final long FRESH = TimeUnit.SECONDS.toNanos(2);

    private record Read(Set<InetAddress> addresses, long at) {}

    private volatile Read last = new Read(Set.of(), System.nanoTime() - 2 * FRESH);

    /** True for a loopback address or one of an interface: whoever has it runs here. */
    boolean contain(InetAddress address) {
        if (address.isLoopbackAddress()) {
            return true;
        }
        Read read = last;
        if (System.nanoTime() - read.at > FRESH) {
            read = new Read(read(), System.nanoTime());
            last = read;
        }
        return read.addresses.contains(address);
    }

    private static Set<InetAddress> read() {
        try {
            return NetworkInterface.networkInterfaces()
                    .flatMap(NetworkInterface::inetAddresses)
                    .collect(Collectors.toUnmodifiableSet());
        } catch (SocketException e) {
            return Set.of();
        }
    }
}
