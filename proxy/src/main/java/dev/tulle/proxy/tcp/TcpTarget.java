package dev.tulle.proxy.tcp;

import dev.tulle.proxy.transport.ClientTransport;
import dev.tulle.proxy.transport.ProxyHeader;
import dev.tulle.proxy.upstream.EndpointAccess;
import dev.tulle.proxy.upstream.Way;
import dev.tulle.telemetry.IstioMetrics;
import dev.tulle.telemetry.WorkloadLabels;
import java.net.InetSocketAddress;
import org.jspecify.annotations.Nullable;

/** Where a relayed connection goes. Loop-confined. */
public interface TcpTarget {
    /** One possible end of the connection. */
    interface Choice {
        /** The socket address. */
        InetSocketAddress address();

        /** The address for people. */
        String text();

        /** Bound on the connect. */
        int connectTimeoutMillis();

        /** How it is reached; null by its address. */
        default @Nullable Way way() {
            return null;
        }

        /** TLS to it; null for none. */
        default @Nullable ClientTransport transport() {
            return null;
        }

        /**
         * What a connection to it begins with.
         *
         * @param ends for whom it is
         * @return null for nothing
         */
        default byte @Nullable [] header(ProxyHeader.Ends ends) {
            return null;
        }

        /** A connection begins to use it. */
        void begin();

        /** It does not any more. */
        void end();

        /**
         * The connect ended.
         *
         * @param failure null when it is connected
         */
        void connectEnded(@Nullable Throwable failure);

        /** Who may reach it. */
        EndpointAccess access();

        /** The metric handles for it. */
        IstioMetrics.Connections metrics(WorkloadLabels source, String flags);
    }

    /**
     * Chooses an end, another one each time where there are others.
     *
     * @return null when there is none (left)
     */
    @Nullable
    Choice choose();

    /** Counts a connection that reached no endpoint. */
    void unserved(WorkloadLabels source, String flags);

    /** The cluster's name, for logs. */
    String cluster();

    /** A connection begins. */
    void opened();

    /** It ended. */
    void closed();
}
