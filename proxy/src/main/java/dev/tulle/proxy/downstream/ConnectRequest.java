package dev.tulle.proxy.downstream;

import dev.tulle.proxy.downstream.Http1State.Event;
import dev.tulle.proxy.forward.Exchange;
import dev.tulle.proxy.http1.RequestHead;
import dev.tulle.proxy.loop.ByteSink;
import dev.tulle.proxy.loop.Outgoing;
import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandler;
import io.netty.channel.socket.ChannelInputShutdownEvent;
import java.net.InetSocketAddress;

/** A request of CONNECT: once its address is known and the client told, the connection becomes one to it. Loop-confined. */
final class ConnectRequest {
    private final Connector connector;
    private final ChannelHandler connection;
    private final Channel channel;
    private final RequestHead head;
    private final Exchange exchange;
    private final RequestReader reader;
    private final Http1End end;

    /**
     * On a connection.
     *
     * @param connection the handler that leaves when the request has its answer
     */
    ConnectRequest(
            Connector connector,
            ChannelHandler connection,
            Channel channel,
            RequestHead head,
            Exchange exchange,
            RequestReader reader,
            Http1End end) {
        this.connector = connector;
        this.connection = connection;
        this.channel = channel;
        this.head = head;
        this.exchange = exchange;
        this.reader = reader;
        this.end = end;
    }

    /** Its head was read. */
    void begin(ByteSink sink, Outgoing out) {
        reader.read(false);
        connector.connect(channel, head.authority(), address -> {
            if (reader.is(Http1State.CLOSED)) {
                return;
            }
            if (address == null) {
                exchange.refuse(503, "cannot connect to " + head.authority());
                return;
            }
            out.add(sink.put("HTTP/1.1 200 Connection established\r\n\r\n"), 0);
            out.flush();
            // What follows may still be in the hands of the reader: it is handed on once that has put it down.
            reader.on(Event.ANSWERED_EARLY);
            channel.eventLoop().execute(() -> handOver(address));
        });
    }

    private void handOver(InetSocketAddress address) {
        if (reader.is(Http1State.CLOSED)) {
            return;
        }
        ByteBuf early = reader.waiting().take();
        reader.on(Event.CLOSES);
        end.noDeadline();
        channel.pipeline().remove(connection);
        connector.tunnel(channel, address, early);
        if (end.hasEnded()) {
            // The client's end came while we were connecting; whoever has the connection now has not heard of it.
            channel.pipeline().fireUserEventTriggered(ChannelInputShutdownEvent.INSTANCE);
        }
    }
}
