package dev.tulle.xds;

import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.MessageLite;
import dev.tulle.model.RouteFilter;

/**
 * One kind of {@link RouteFilter} as Envoy's filter: what a route says to it ({@code typed_per_filter_config}), and its entry
 * among the filters of a listener, which says nothing by itself.
 *
 * @param <F> the kind
 */
interface FilterCodec<F extends RouteFilter> {
    /** The kind. */
    Class<F> kind();

    /** The name under which listener and route speak of it, such as {@code envoy.filters.http.fault}. */
    String name();

    /**
     * The message of the listener's entry, without the place of all extensions' types; empty for a filter of Tulle's own, which
     * has no entry, and over which other proxies pass.
     */
    String filterType();

    /** The message that a route has for it, without that place, but for one of Tulle's own. */
    String routeType();

    /** The route's message. */
    MessageLite encode(F filter);

    /**
     * Reads the route's message.
     *
     * @throws IllegalArgumentException when something in it cannot be honoured
     */
    F decode(ByteString message) throws InvalidProtocolBufferException;
}
