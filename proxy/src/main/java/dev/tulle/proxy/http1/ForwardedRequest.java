package dev.tulle.proxy.http1;

import org.jspecify.annotations.Nullable;

/** A request as it is sent on: what was received, and what is different. Valid as long as its {@link RequestHead} is. */
public interface ForwardedRequest {
    /** As received. */
    RequestHead head();

    /** The path to send; null for the received one. */
    @Nullable
    String path();

    /** The authority to send; null for the received one. */
    @Nullable
    String authority();

    /** Changes to the fields. */
    HeaderProgram changes();

    /** Where it comes from. */
    Sender sender();
}
