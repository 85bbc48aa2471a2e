package dev.tulle.proxy.http2;

import io.netty.handler.codec.http2.DefaultHttp2Connection;
import io.netty.handler.codec.http2.DefaultHttp2ConnectionDecoder;
import io.netty.handler.codec.http2.DefaultHttp2ConnectionEncoder;
import io.netty.handler.codec.http2.DefaultHttp2FrameReader;
import io.netty.handler.codec.http2.DefaultHttp2HeadersDecoder;
import io.netty.handler.codec.http2.DefaultHttp2LocalFlowController;
import io.netty.handler.codec.http2.Http2Connection;
import io.netty.handler.codec.http2.Http2ConnectionDecoder;
import io.netty.handler.codec.http2.Http2ConnectionEncoder;
import io.netty.handler.codec.http2.Http2PromisedRequestVerifier;

/**
 * What the frames of one connection are read and written with: Netty's parts, but for the writer of frames and what bounds
 * it. They are put together here because Netty's builder takes no writer but its own.
 *
 * @param streams by which a stream has its {@link FramedStream}
 * @param windows what the other side takes
 * @param frames the writer behind the encoder
 */
public record FrameCodec(
        Http2Connection connection,
        Http2ConnectionDecoder decoder,
        Http2ConnectionEncoder encoder,
        Http2Connection.PropertyKey streams,
        SendWindows windows,
        BatchedFrames frames) {
    /** Continuations of one head that bring next to nothing before the connection ends. */
    private static final int MAX_SMALL_CONTINUATIONS = 8;

    private static final int GROWS = -1;

    /**
     * Of the side that takes requests.
     *
     * @param maxHead bytes of a head
     * @param maxResets streams that may be reset for mistakes of the client in so many seconds
     */
    public static FrameCodec server(int maxHead, int maxResets, int seconds) {
        return of(new DefaultHttp2Connection(true), maxHead, maxResets, seconds, true);
    }

    /**
     * Of the side that takes tunnels: the window for the whole connection is always open, those of its streams hold back.
     *
     * @param maxHead bytes of a head
     * @param updateRatio the part of a window that has been used when more is given
     * @param maxResets streams that may be reset for mistakes of the other side in so many seconds
     */
    public static FrameCodec tunnels(int maxHead, float updateRatio, int maxResets, int seconds) {
        Http2Connection connection = new DefaultHttp2Connection(true);
        connection.local().flowController(new DefaultHttp2LocalFlowController(connection, updateRatio, true));
        return of(connection, maxHead, maxResets, seconds, true);
    }

    /**
     * Of the side that sends requests, whose window for the whole connection is always open.
     *
     * @param maxHead bytes of a head
     * @param updateRatio the part of a window that has been used when more is given
     */
    public static FrameCodec client(int maxHead, float updateRatio) {
        Http2Connection connection = new DefaultHttp2Connection(false, 0);
        connection.local().flowController(new DefaultHttp2LocalFlowController(connection, updateRatio, true));
        return of(connection, maxHead, 0, 0, false);
    }

    private static FrameCodec of(
            Http2Connection connection, int maxHead, int maxResets, int seconds, boolean needsPseudoFields) {
        BatchedFrames frames = new BatchedFrames();
        Http2Connection.PropertyKey streams = connection.newKey();
        SendWindows windows = new SendWindows(connection, streams, frames);
        connection.remote().flowController(windows);
        Http2ConnectionEncoder encoder =
                new ControlBounds(new DefaultHttp2ConnectionEncoder(connection, frames), maxResets, seconds);
        Http2ConnectionDecoder decoder = new DefaultHttp2ConnectionDecoder(
                connection,
                encoder,
                new DefaultHttp2FrameReader(
                        new DefaultHttp2HeadersDecoder(true, maxHead, GROWS), MAX_SMALL_CONTINUATIONS),
                Http2PromisedRequestVerifier.ALWAYS_VERIFY,
                true,
                true,
                true,
                needsPseudoFields);
        return new FrameCodec(connection, decoder, encoder, streams, windows, frames);
    }
}
