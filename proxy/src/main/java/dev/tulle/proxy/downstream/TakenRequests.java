package dev.tulle.proxy.downstream;

import dev.tulle.proxy.discovery.OutboundService;
import dev.tulle.proxy.forward.Exchange;
import dev.tulle.proxy.http1.ParseStatus;
import dev.tulle.proxy.http1.RequestHead;
import dev.tulle.proxy.lease.RequestTaker;
import dev.tulle.proxy.lease.TakenRequest;
import dev.tulle.proxy.upstream.UpstreamConnection;

/** What the kernel has taken and cannot finish becomes an exchange of the connection that it came by. Loop-confined. */
final class TakenRequests implements RequestTaker {
    private final OutboundService service;
    private final RequestReader reader;
    private final RequestReader.Owner owner;
    private final RequestHead head;
    private final Exchange exchange;
    private final Runnable abandon;

    /**
     * Of a connection.
     *
     * @param abandon ends the connection: nobody knows what has become of a request
     */
    TakenRequests(
            OutboundService service,
            RequestReader reader,
            RequestReader.Owner owner,
            RequestHead head,
            Exchange exchange,
            Runnable abandon) {
        this.service = service;
        this.reader = reader;
        this.owner = owner;
        this.head = head;
        this.exchange = exchange;
        this.abandon = abandon;
    }

    @Override
    public boolean take(UpstreamConnection from, TakenRequest request) {
        if (!reader.is(Http1State.IDLE)) {
            return false;
        }
        owner.requestBegins();
        if (head.read(request.head()) != ParseStatus.COMPLETE) {
            return false;
        }
        reader.goOn(request.left());
        exchange.take(service, from, request);
        return true;
    }

    @Override
    public void abandon() {
        abandon.run();
    }
}
