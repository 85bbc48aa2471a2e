package dev.tulle.proxy.lease;

import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelException;
import io.netty.channel.unix.RawUnixChannelOption;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnknownHostException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.jspecify.annotations.Nullable;

/** Socket options of a level of our own, answered by programs on the proxy's cgroup. One object per loop. */
public final class SocketHttpOptions implements HttpOptions {
    private static final int LEVEL = 0x7475;
    private static final int HEAD_ROOM = 1024;
    private static final int ADDRESS = 16;
    private static final long UNPROVEN = 1L << 63;
    private static final long RENEW = 1L << 62;

    private static final RawUnixChannelOption GIVE = option("GIVE", 1, 16);
    private static final RawUnixChannelOption CLIENT = option("CLIENT", 2, 48 + HEAD_ROOM + 8);
    private static final RawUnixChannelOption OFFER = option("OFFER", 3, 16);
    private static final RawUnixChannelOption TAKE = option("TAKE", 4, 8);
    private static final RawUnixChannelOption LEASE = option("LEASE", 5, 48 + ADDRESS);

    private static final RawUnixChannelOption OUTCOME = option("OUTCOME", 6, ADDRESS + 8);

    private final ByteBuffer outcome = ByteBuffer.allocate(ADDRESS + 8).order(ByteOrder.nativeOrder());
    private final ByteBuffer sixteen = ByteBuffer.allocate(16).order(ByteOrder.nativeOrder());
    private final ByteBuffer eight = ByteBuffer.allocate(8).order(ByteOrder.nativeOrder());

    private static RawUnixChannelOption option(String name, int number, int length) {
        return new RawUnixChannelOption("TULLE_" + name, LEVEL, number, length);
    }

    @Override
    public boolean give(Channel client, long consumed, int loop, int after) {
        return set(
                client,
                GIVE,
                sixteen.clear().putLong(consumed).putInt(loop).putInt(after).flip());
    }

    @Override
    public boolean offer(Channel upstream, long cookie, int loop) {
        return set(
                upstream,
                OFFER,
                sixteen.clear().putLong(cookie).putInt(loop).putInt(0).flip());
    }

    @Override
    public void take(Channel upstream, int states) {
        // Where there is nobody to take it from, asking for the lease tells.
        set(upstream, TAKE, eight.clear().putInt(states).putInt(0).flip());
    }

    @Override
    public boolean outcome(Channel any, InetSocketAddress endpoint, int code) {
        // struct tulle_http_outcome.
        byte[] address = endpoint.getAddress().getAddress();
        outcome.clear();
        if (address.length < ADDRESS) {
            outcome.putLong(0).putShort((short) 0).putShort((short) 0xffff);
        }
        outcome.put(address)
                .putShort((short) endpoint.getPort())
                .putShort((short) 0)
                .putInt(code);
        return set(any, OUTCOME, outcome.flip());
    }

    @Override
    public @Nullable ClientInfo client(Channel client) {
        ByteBuffer b = get(client, CLIENT);
        if (b == null) {
            return null;
        }
        // struct tulle_http_client_info; `passed` is for people.
        int length = Math.clamp(b.getInt(36), 0, HEAD_ROOM);
        byte[] head = new byte[length];
        b.get(48, head);
        return new ClientInfo(
                b.getLong(8),
                LeaseState.of(b.getInt(28)),
                LeaseState.of(b.getInt(44)),
                b.getLong(16),
                b.getInt(24) != 0,
                b.getInt(32),
                Unpooled.wrappedBuffer(head),
                b.getInt(40),
                b.getLong(48 + HEAD_ROOM));
    }

    @Override
    public @Nullable LeaseInfo lease(Channel upstream) {
        ByteBuffer b = get(upstream, LEASE);
        if (b == null) {
            return null;
        }
        // struct tulle_http_lease_info.
        byte[] address = new byte[ADDRESS];
        b.get(48, address);
        return new LeaseInfo(
                b.getLong(0),
                LeaseState.of(b.getInt(32)),
                LeaseState.of(b.getInt(36)),
                b.getLong(16),
                b.getLong(24) & ~(UNPROVEN | RENEW),
                (b.getLong(24) & UNPROVEN) != 0,
                (b.getLong(24) & RENEW) != 0,
                b.getInt(40),
                b.getShort(44) & 0xffff,
                socketAddress(address, b.getShort(46) & 0xffff));
    }

    private static InetSocketAddress socketAddress(byte[] address, int port) {
        try {
            // A v4-mapped address becomes what Netty says of the same client: an IPv4 one.
            return new InetSocketAddress(InetAddress.getByAddress(address), port);
        } catch (UnknownHostException e) {
            throw new IllegalStateException("an address of " + address.length + " bytes", e);
        }
    }

    private static boolean set(Channel channel, RawUnixChannelOption option, ByteBuffer value) {
        try {
            return channel.isOpen() && channel.config().setOption(option, value);
        } catch (ChannelException e) {
            // ENOPROTOOPT: no program answers.
            return false;
        }
    }

    private static @Nullable ByteBuffer get(Channel channel, RawUnixChannelOption option) {
        try {
            ByteBuffer answer = channel.isOpen() ? channel.config().getOption(option) : null;
            return answer == null ? null : answer.clear().order(ByteOrder.nativeOrder());
        } catch (ChannelException e) {
            return null;
        }
    }
}
