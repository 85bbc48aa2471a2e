package dev.tulle.proxy.accept;

import io.netty.channel.epoll.EpollSocketChannel;
import io.netty.channel.unix.RawUnixChannelOption;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnknownHostException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.jspecify.annotations.Nullable;

/**
 * The address that a captured connection was made to, asked of the kernel: our own program answers (from the pair that
 * the connect hook noted), or connection tracking does (in the nftables tier).
 */
final class OriginalDestination {
    private static final int SO_ORIGINAL_DST = 80;
    private static final int SOL_IP = 0;
    private static final int SOL_IPV6 = 41;
    private static final int AF_INET = 2;
    private static final int AF_INET6 = 10;

    private static final RawUnixChannelOption IPV4 =
            new RawUnixChannelOption("SO_ORIGINAL_DST", SOL_IP, SO_ORIGINAL_DST, 16);
    private static final RawUnixChannelOption IPV6 =
            new RawUnixChannelOption("IP6T_SO_ORIGINAL_DST", SOL_IPV6, SO_ORIGINAL_DST, 28);

    private OriginalDestination() {}

    /** The address; null when the connection was not captured but made to the proxy itself. */
    static @Nullable InetSocketAddress of(EpollSocketChannel channel) {
        InetSocketAddress local = channel.localAddress();
        boolean six = local != null && local.getAddress().getAddress().length == 16;
        InetSocketAddress found = ask(channel, six ? IPV6 : IPV4);
        return found == null || found.equals(local) ? null : found;
    }

    private static @Nullable InetSocketAddress ask(EpollSocketChannel channel, RawUnixChannelOption option) {
        try {
            ByteBuffer answer = channel.config().getOption(option);
            return answer == null ? null : decode(answer);
        } catch (RuntimeException e) {
            // ENOENT: nobody redirected it.
            return null;
        }
    }

    /** Reads a struct sockaddr_in or sockaddr_in6; null when it is neither. */
    static @Nullable InetSocketAddress decode(ByteBuffer answer) {
        ByteBuffer bytes = answer.duplicate();
        bytes.position(0).limit(bytes.capacity());
        int family = bytes.order(ByteOrder.nativeOrder()).getShort(0) & 0xffff;
        int port = bytes.order(ByteOrder.BIG_ENDIAN).getShort(2) & 0xffff;
        byte[] address;
        if (family == AF_INET) {
            address = new byte[4];
            bytes.position(4);
        } else if (family == AF_INET6 && bytes.limit() >= 24) {
            address = new byte[16];
            bytes.position(8);
        } else {
            return null;
        }
        bytes.get(address);
        try {
            return port == 0 ? null : new InetSocketAddress(InetAddress.getByAddress(address), port);
        } catch (UnknownHostException e) {
            return null;
        }
    }
}
