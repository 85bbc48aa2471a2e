package dev.tulle.proxy.accept;

import io.netty.channel.Channel;
import io.netty.channel.epoll.EpollSocketChannel;
import io.netty.channel.unix.RawUnixChannelOption;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnknownHostException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.jspecify.annotations.Nullable;

/**
 * What the kernel's programs know of an accepted connection: {@code struct tulle_accepted} of {@code bpf/lib/types.h}.
 *
 * @param who who made it
 * @param lease the caller's lease, 0 unless {@link Who#NAMED}
 * @param dialled where it was redirected from; null when it was made to this port itself
 */
record Accepted(Who who, long lease, @Nullable InetSocketAddress dialled) {
    /** Bytes of the answer. */
    static final int SIZE = 32;

    /** The level of all options of the mesh's programs. */
    static final int LEVEL = 0x7475;

    /** The option's number. */
    static final int OPTION = 7;

    private static final int ADDRESS_SIZE = 16;
    private static final RawUnixChannelOption ACCEPTED =
            new RawUnixChannelOption("TULLE_ACCEPTED", LEVEL, OPTION, SIZE);

    /** Who made a connection, in the order of the kernel's numbers. */
    enum Who {
        /** No workload of this node. */
        NOBODY,
        /** The workload that has the lease. */
        NAMED,
        /** Somebody with a workload's address or a lease that has ended: it cannot be said who. */
        UNNAMED
    }

    /** Asks the kernel; null where no program answers, as in the lower tiers. */
    static @Nullable Accepted of(Channel channel) {
        if (!(channel instanceof EpollSocketChannel epoll)) {
            return null;
        }
        try {
            ByteBuffer answer = epoll.config().getOption(ACCEPTED);
            return answer == null ? null : decode(answer);
        } catch (RuntimeException e) {
            // ENOPROTOOPT: no program is attached.
            return null;
        }
    }

    /** Reads an answer; null for one that is none. */
    static @Nullable Accepted decode(ByteBuffer answer) {
        ByteBuffer bytes = answer.duplicate().order(ByteOrder.nativeOrder());
        if (bytes.capacity() < SIZE) {
            return null;
        }
        long lease = bytes.getLong(0);
        byte[] address = new byte[ADDRESS_SIZE];
        bytes.get(8, address);
        int who = bytes.getInt(24);
        int port = bytes.getShort(28) & 0xffff;
        if (who < 0 || who >= Who.values().length) {
            return null;
        }
        try {
            // A v4-mapped address becomes an IPv4 one.
            return new Accepted(
                    Who.values()[who],
                    lease,
                    port == 0 ? null : new InetSocketAddress(InetAddress.getByAddress(address), port));
        } catch (UnknownHostException e) {
            return null;
        }
    }
}
