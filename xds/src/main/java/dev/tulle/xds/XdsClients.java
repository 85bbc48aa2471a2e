package dev.tulle.xds;

/** Makes the clients of the control plane. */
public final class XdsClients {
    private XdsClients() {}

    /**
     * Starts an xDS client. It connects in the background and for ever; watches may be made at once.
     *
     * @return closing it ends the stream and the client's thread
     */
    public static XdsClient connect(XdsClientOptions options) {
        return DeltaXdsClient.start(options);
    }

    /**
     * Starts to register a node. It connects in the background and for ever; workloads may be announced at once.
     *
     * @param listener told about the lease
     * @return closing it ends the stream and the client's thread
     */
    public static RegistrationClient register(RegistrationOptions options, RegistrationClient.Listener listener) {
        return StreamRegistrationClient.start(options, listener);
    }

    /** As {@link #register}, but connects only when {@link RegistrationClient#begin} is called. */
    public static RegistrationClient registerLater(RegistrationOptions options, RegistrationClient.Listener listener) {
        return StreamRegistrationClient.waiting(options, listener);
    }
}
