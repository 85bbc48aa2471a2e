package dev.tulle.proxy.http2;

import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.handler.codec.http2.Http2CodecUtil;
import io.netty.handler.codec.http2.Http2Connection;
import io.netty.handler.codec.http2.Http2Error;
import io.netty.handler.codec.http2.Http2Exception;
import io.netty.handler.codec.http2.Http2RemoteFlowController;
import io.netty.handler.codec.http2.Http2Stream;
import java.util.ArrayDeque;
import org.jspecify.annotations.Nullable;

/**
 * What the other side of a connection takes of bodies (RFC 9113 section 5.2). A stream that may send writes at once; what
 * waits for a window, or for a socket that takes more, waits with its {@link FramedStream}, and those that may go on take
 * turns: priorities are ignored. Loop-confined.
 */
final class SendWindows implements Http2RemoteFlowController {
    /** Bytes of one stream before it is the next one's turn. */
    private static final int TURN = 16 << 10;

    /** Bytes that are written at least while the channel takes any. */
    private static final int LEAST = 32 << 10;

    private final Http2Connection connection;
    private final Http2Connection.PropertyKey streams;
    private final BatchedFrames frames;
    private final ArrayDeque<FramedStream> waiting = new ArrayDeque<>(0);
    private @Nullable ChannelHandlerContext context;
    private int initial = Http2CodecUtil.DEFAULT_WINDOW_SIZE;
    private int ofConnection = Http2CodecUtil.DEFAULT_WINDOW_SIZE;
    private int held;

    /**
     * Of a connection.
     *
     * @param streams by which a stream has its {@link FramedStream}
     */
    SendWindows(Http2Connection connection, Http2Connection.PropertyKey streams, BatchedFrames frames) {
        this.connection = connection;
        this.streams = streams;
        this.frames = frames;
    }

    /** True when a stream with this window may send so many bytes now. */
    boolean admit(int window, int bytes) {
        ChannelHandlerContext at = context;
        return bytes == 0
                || (bytes <= window
                        && bytes <= ofConnection
                        && at != null
                        && at.channel().isWritable());
    }

    /** So many bytes are sent. */
    void sent(int bytes) {
        ofConnection -= bytes;
    }

    /** One more stream (+1), or one less (-1), has something that waits. */
    void held(int more) {
        held += more;
    }

    /** True while some stream has something that waits. */
    boolean isHeld() {
        return held > 0;
    }

    /** A stream has something that waits, or may send more of it. */
    void waits(FramedStream stream) {
        if (!stream.inTurn && stream.mayGoOn()) {
            stream.inTurn = true;
            waiting.add(stream);
        }
    }

    /** Nothing of a stream waits any more: it has no turn, and is not kept until it would have. */
    void leaves(FramedStream stream) {
        if (stream.inTurn) {
            stream.inTurn = false;
            waiting.remove(stream);
        }
    }

    /** Writes what may go on; comes before each flush, which has to find everything in the channel. */
    @Override
    public void writePendingBytes() {
        ChannelHandlerContext at = context;
        if (at != null && !waiting.isEmpty()) {
            int room = room(at.channel());
            FramedStream next;
            while (room > 0 && (next = waiting.poll()) != null) {
                room -= next.goOn(Math.min(room, TURN));
                next.inTurn = false;
                waits(next);
            }
        }
        frames.passOn();
    }

    private int room(Channel channel) {
        if (!channel.isWritable()) {
            return 0;
        }
        return (int) Math.min(ofConnection, Math.max(LEAST, channel.bytesBeforeUnwritable()));
    }

    @Override
    public void channelHandlerContext(ChannelHandlerContext at) {
        context = at;
    }

    @Override
    public void initialWindowSize(int size) throws Http2Exception {
        int more = size - initial;
        initial = size;
        connection.forEachActiveStream(stream -> {
            FramedStream known = stream.getProperty(streams);
            if (known != null) {
                // Beyond its bound it is an error of the connection (section 6.9.2).
                known.window = sum(connection.connectionStream(), known.window, more);
                waits(known);
            }
            return true;
        });
    }

    @Override
    public int initialWindowSize() {
        return initial;
    }

    @Override
    public int windowSize(Http2Stream stream) {
        FramedStream known = stream.getProperty(streams);
        return stream.id() == Http2CodecUtil.CONNECTION_STREAM_ID ? ofConnection : known == null ? 0 : known.window;
    }

    @Override
    public void incrementWindowSize(Http2Stream stream, int more) throws Http2Exception {
        if (stream.id() == Http2CodecUtil.CONNECTION_STREAM_ID) {
            ofConnection = sum(stream, ofConnection, more);
            return;
        }
        FramedStream known = stream.getProperty(streams);
        if (known != null) {
            known.window = sum(stream, known.window, more);
            waits(known);
        }
    }

    private static int sum(Http2Stream of, int window, int more) throws Http2Exception {
        if (more > 0 && window > Integer.MAX_VALUE - more) {
            throw Http2Exception.streamError(of.id(), Http2Error.FLOW_CONTROL_ERROR, "a window beyond its bound");
        }
        return window + more;
    }

    @Override
    public boolean hasFlowControlled(Http2Stream stream) {
        FramedStream known = stream.getProperty(streams);
        return known != null && known.isSending();
    }

    @Override
    public boolean isWritable(Http2Stream stream) {
        return admit(windowSize(stream), 1);
    }

    @Override
    public void addFlowControlled(Http2Stream stream, FlowControlled payload) {
        throw new IllegalStateException("streams keep what waits by themselves");
    }

    @Override
    public void channelWritabilityChanged() {
        // A flush goes on.
    }

    @Override
    public void updateDependencyTree(int child, int parent, short weight, boolean exclusive) {
        // Ignored.
    }

    @Override
    public void listener(Listener listener) {
        throw new IllegalStateException("streams count for themselves");
    }

    @Override
    public @Nullable ChannelHandlerContext channelHandlerContext() {
        return context;
    }
}
