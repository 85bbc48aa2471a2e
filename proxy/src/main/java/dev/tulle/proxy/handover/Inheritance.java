package dev.tulle.proxy.handover;

import io.netty.channel.unix.FileDescriptor;
import java.net.InetSocketAddress;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;

/** The listening sockets that a process got from the agent or the process before it, until each has found its use. Any thread. */
public final class Inheritance implements AutoCloseable {
    private final Map<InetSocketAddress, FileDescriptor> sockets;

    Inheritance(Map<InetSocketAddress, FileDescriptor> sockets) {
        this.sockets = new HashMap<>(sockets);
    }

    /** Of a process that has nothing before it. */
    public static Inheritance none() {
        return new Inheritance(Map.of());
    }

    /** The descriptor that listens on an address, which then is the caller's; empty when there is none. */
    public synchronized OptionalInt claim(InetSocketAddress address) {
        FileDescriptor found = sockets.remove(address);
        return found == null ? OptionalInt.empty() : OptionalInt.of(found.intValue());
    }

    /** Whether an address is among those that nobody has claimed. */
    public synchronized boolean offers(InetSocketAddress address) {
        return sockets.containsKey(address);
    }

    /** Adds what else has come; what is there already is closed. */
    synchronized void add(Map<InetSocketAddress, FileDescriptor> more) {
        more.forEach((address, descriptor) -> {
            if (sockets.putIfAbsent(address, descriptor) != null) {
                PassedSockets.close(List.of(descriptor));
            }
        });
    }

    /** Closes what nobody claimed: this process does not listen there. */
    @Override
    public synchronized void close() {
        PassedSockets.close(sockets.values());
        sockets.clear();
    }
}
