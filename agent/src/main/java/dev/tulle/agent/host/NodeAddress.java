package dev.tulle.agent.host;

import java.io.IOException;
import java.net.DatagramSocket;
import java.net.Inet4Address;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.NetworkInterface;
import java.net.SocketException;
import java.util.Comparator;

/** Finds the address at which other hosts reach this one. */
public final class NodeAddress {
    /** Addresses that nobody has (RFC 5737): the way to them is the default route. */
    private static final String ELSEWHERE = "192.0.2.1";

    /** Nothing is sent there. */
    private static final int PORT = 9;

    private NodeAddress() {}

    /**
     * The address that this host has toward another one; without a way there, the first of its real interfaces.
     *
     * @param host its name or address; empty for any host far away
     * @return empty when there is none but the loopback's
     */
    public static String toward(String host) {
        try (DatagramSocket socket = new DatagramSocket()) {
            InetAddress to = InetAddress.getByName(host.isEmpty() ? ELSEWHERE : host);
            // Connecting a datagram socket chooses a route and sends nothing.
            socket.connect(new InetSocketAddress(to, PORT));
            InetAddress own = socket.getLocalAddress();
            boolean far = own != null && !own.isAnyLocalAddress() && !own.isLoopbackAddress();
            return far || (own != null && to.isLoopbackAddress()) ? own.getHostAddress() : first();
        } catch (IOException | java.io.UncheckedIOException e) {
            return first();
        }
    }

    private static String first() {
        try {
            return NetworkInterface.networkInterfaces()
                    .filter(NodeAddress::isReal)
                    .sorted(Comparator.comparingInt(NetworkInterface::getIndex))
                    .flatMap(NetworkInterface::inetAddresses)
                    .filter(address -> address instanceof Inet4Address && !address.isLinkLocalAddress())
                    .map(InetAddress::getHostAddress)
                    .findFirst()
                    .orElse("");
        } catch (SocketException e) {
            return "";
        }
    }

    private static boolean isReal(NetworkInterface one) {
        try {
            return one.isUp() && !one.isLoopback();
        } catch (SocketException e) {
            return false;
        }
    }
}
