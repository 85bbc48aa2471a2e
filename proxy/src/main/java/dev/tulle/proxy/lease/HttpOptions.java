package dev.tulle.proxy.lease;

import io.netty.channel.Channel;
import java.net.InetSocketAddress;
import org.jspecify.annotations.Nullable;

/**
 * What the proxy says to the kernel's HTTP programs, and asks them, about one of its own sockets. Only called on the
 * socket's loop. Nothing fails: where there are no such programs, every call answers false or null.
 */
public interface HttpOptions {
    /**
     * Gives a client's connection to the kernel, which may take the next requests if nothing of the connection is under
     * way.
     *
     * @param consumed bytes read from the connection since it was accepted
     * @param loop number of the loop whose connections to endpoints may be used
     * @param after bytes that are about to be written, with the last of which the connection is given, so that a client
     *     that sends its next request at once is not faster; 0: given now
     * @return false when there is no kernel HTTP
     */
    boolean give(Channel client, long consumed, int loop, int after);

    /** Asks about a client's connection; null when the kernel does not know it. */
    @Nullable
    ClientInfo client(Channel client);

    /**
     * Offers an idle connection to an endpoint; {@link #lease} tells whether it was accepted.
     *
     * @param cookie its name, not 0
     * @return false when there is no kernel HTTP
     */
    boolean offer(Channel upstream, long cookie, int loop);

    /**
     * Takes a connection to an endpoint back if it is in one of these states; {@link #lease} tells.
     *
     * @param states a set of {@link LeaseState#bit}
     */
    void take(Channel upstream, int states);

    /**
     * Says how a try that the proxy made at an endpoint ended, as the kernel counts those of its own; an endpoint that it
     * does not know is ignored.
     *
     * @param any one of the proxy's sockets
     * @param code the response's status; 0: none came
     * @return false when nobody counts
     */
    boolean outcome(Channel any, InetSocketAddress endpoint, int code);

    /**
     * Asks about a connection to an endpoint; null when it is closed, or was never accepted and need not be renewed
     * either.
     */
    @Nullable
    LeaseInfo lease(Channel upstream);
}
