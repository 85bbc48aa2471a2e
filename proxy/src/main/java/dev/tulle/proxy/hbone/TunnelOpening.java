package dev.tulle.proxy.hbone;

import dev.tulle.proxy.loop.TimerWheel;
import dev.tulle.proxy.loop.Worker;
import dev.tulle.proxy.upstream.From;
import dev.tulle.proxy.upstream.UpstreamChannels;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandler;
import java.io.IOException;
import java.net.ConnectException;
import java.net.InetSocketAddress;
import org.jspecify.annotations.Nullable;

/**
 * Somebody who waits for a tunnel, from the first moment to the answer: the waiting for a certificate, for a connection and
 * for its handshake, and for the other end's answer share one time. Loop-confined.
 */
// A failed close reaches the handlers by itself.
@SuppressWarnings("FutureReturnValueIgnored")
final class TunnelOpening extends TimerWheel.Timer {
    final TunnelTarget target;
    final From from;
    final InetSocketAddress address;
    final ChannelHandler handler;
    private final Worker worker;
    private final UpstreamChannels.Ended then;
    private String stage = "no certificate";
    private boolean over;
    private @Nullable OutboundStream stream;

    TunnelOpening(
            Worker worker,
            TunnelTarget target,
            From from,
            InetSocketAddress address,
            int timeoutMillis,
            ChannelHandler handler,
            UpstreamChannels.Ended then) {
        this.worker = worker;
        this.target = target;
        this.from = from;
        this.address = address;
        this.handler = handler;
        this.then = then;
        worker.timers().set(this, System.nanoTime() + timeoutMillis * 1_000_000L);
    }

    /** What is waited for, for people. */
    void waitsFor(String missing) {
        stage = missing;
    }

    /** Its stream was opened, and the answer is waited for. */
    void asked(OutboundStream by) {
        stream = by;
        stage = "no answer";
    }

    boolean isOver() {
        return over;
    }

    void made(Channel channel) {
        if (over) {
            channel.close();
            return;
        }
        end();
        then.ended(channel, null);
    }

    /** There will be none. */
    void failed(IOException why) {
        if (!over) {
            end();
            then.ended(null, why);
        }
    }

    private void end() {
        over = true;
        worker.timers().remove(this);
    }

    @Override
    protected void expired() {
        OutboundStream asked = stream;
        failed(new ConnectException(Tunnels.TROUBLE + stage + " of the node at " + Answers.text(target.node())
                + " within the connect timeout"));
        if (asked != null) {
            asked.giveUp();
        }
    }
}
