package dev.tulle.proxy.upstream;

import dev.tulle.model.Caller;
import dev.tulle.proxy.discovery.WorkloadDirectory;
import dev.tulle.proxy.transport.ProxyHeader;
import dev.tulle.telemetry.WorkloadLabels;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import org.jspecify.annotations.Nullable;

/**
 * For whom a connection is made that carries who calls.
 *
 * @param caller the identity, under which it is made
 * @param address the caller's address; null when it is not known
 * @param labels what is said of it for metrics
 */
public record From(Caller caller, @Nullable InetAddress address, WorkloadLabels labels) {
    /** Two of the same can use the same connection. */
    record Key(Caller caller, @Nullable InetAddress address) {}

    /** A client, who has to be known. */
    public static From of(WorkloadDirectory.Entry source, ProxyHeader.Ends ends) {
        InetSocketAddress client = ends.client();
        return new From(source.caller(), client == null ? null : client.getAddress(), source.labels());
    }

    /**
     * For all that can use the same connection: callers without an identity come from anywhere, are nobody at the other end,
     * and have no address in common.
     */
    From shared() {
        return caller.principal().isEmpty() ? new From(caller, null, labels) : this;
    }

    Key key() {
        return new Key(caller, address);
    }
}
