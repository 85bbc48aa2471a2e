package dev.tulle.proxy.upstream;

import java.net.InetSocketAddress;
import org.jspecify.annotations.Nullable;

/**
 * Where a connection goes.
 *
 * @param address of the endpoint
 * @param way how it is reached; null to dial the address
 * @param from for whom; null where nobody is waiting, and then only addresses are dialled
 */
public record Destination(
        InetSocketAddress address,
        @Nullable Way way,
        @Nullable From from) {
    /** An address. */
    public static Destination to(InetSocketAddress address) {
        return new Destination(address, null, null);
    }
}
