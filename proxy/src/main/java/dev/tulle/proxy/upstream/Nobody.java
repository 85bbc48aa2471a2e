package dev.tulle.proxy.upstream;

import dev.tulle.proxy.http1.ResponseHead;
import dev.tulle.proxy.transport.ProxyHeader;
import io.netty.buffer.ByteBuf;
import org.jspecify.annotations.Nullable;

/** A user who is not interested in anything. */
final class Nobody implements UpstreamUser {
    @Override
    public ProxyHeader.@Nullable Ends ends() {
        return null;
    }

    @Override
    public @Nullable From from() {
        return null;
    }

    @Override
    public void connected(UpstreamStream stream) {
        stream.abandon();
    }

    @Override
    public void connectFailed(String reason) {}

    @Override
    public void interim(ResponseHead head) {}

    @Override
    public void responseHead(ResponseHead head, int following) {}

    @Override
    public void responseData(ByteBuf data) {
        data.release();
    }

    @Override
    public void responseEnd() {}

    @Override
    public void readComplete() {}

    @Override
    public void upstreamBroken(String reason, boolean malformed, Seen seen) {}

    @Override
    public void upstreamWritability(boolean writable) {}
}
