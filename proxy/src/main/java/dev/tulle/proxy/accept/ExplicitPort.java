package dev.tulle.proxy.accept;

import dev.tulle.model.AppProtocol;
import dev.tulle.model.Listener;
import dev.tulle.model.Maglev;
import dev.tulle.model.Service;
import dev.tulle.model.ServicePort;
import dev.tulle.proxy.discovery.NameDirectory;
import dev.tulle.proxy.discovery.OutboundService;
import dev.tulle.proxy.discovery.WorkloadDirectory;
import dev.tulle.proxy.downstream.Connector;
import dev.tulle.proxy.downstream.Http1Connection;
import dev.tulle.proxy.forward.ServiceChooser;
import dev.tulle.proxy.http1.RequestHead;
import dev.tulle.proxy.loop.TimerWheel;
import dev.tulle.proxy.loop.Worker;
import dev.tulle.proxy.share.Held;
import dev.tulle.proxy.share.LoopShares;
import dev.tulle.proxy.stream.Peer;
import dev.tulle.proxy.transport.ProxyHeader;
import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import java.net.InetSocketAddress;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * The port for applications that are told of the proxy: {@code http://proxy/<service>[:port]/path}, requests with an
 * absolute target as to any HTTP proxy, and CONNECT. Loop-confined.
 */
// A failed write or close reaches the handlers by itself.
@SuppressWarnings("FutureReturnValueIgnored")
final class ExplicitPort extends ChannelInboundHandlerAdapter implements ServiceChooser, Connector {
    private static final long PATIENCE = TimeUnit.SECONDS.toNanos(5);

    private final LoopScope scope;
    private final NameDirectory names;
    private @Nullable InetSocketAddress client;
    private WorkloadDirectory.Entry source;

    ExplicitPort(LoopScope scope, NameDirectory names) {
        this.scope = scope;
        this.names = names;
        this.source = scope.sources().unknown();
    }

    @Override
    public void channelActive(ChannelHandlerContext context) {
        Channel channel = context.channel();
        context.pipeline().remove(this);
        InetSocketAddress remote = (InetSocketAddress) channel.remoteAddress();
        InetSocketAddress local = (InetSocketAddress) channel.localAddress();
        client = remote;
        EarlyBytes early = new EarlyBytes(null);
        context.pipeline().addLast(early);
        WorkloadDirectory.Entry pending = scope.sources().pending();
        // The name of the client decides what a short service name means: it is waited for.
        scope.sources()
                .find(
                        channel,
                        local,
                        entry -> entry.whenKnown(() -> scope.onLoop(() -> {
                            pending.settle(entry);
                            serve(channel, local, entry, early);
                        })));
        TimerWheel.Timer late = new TimerWheel.Timer() {
            @Override
            protected void expired() {
                serve(channel, local, pending, early);
            }
        };
        scope.worker().timers().set(late, System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(500));
        channel.closeFuture().addListener(closed -> scope.worker().timers().remove(late));
    }

    private void serve(Channel channel, InetSocketAddress local, WorkloadDirectory.Entry entry, EarlyBytes early) {
        if (channel.pipeline().get(EarlyBytes.class) == null || !channel.isActive()) {
            return;
        }
        source = entry;
        Held held = LoopShares.of(channel);
        if (held != null && !held.belongsTo(entry.toString())) {
            scope.refused().with(OutboundFlow.OVER_SHARE).increment();
            early.release();
            channel.close();
            return;
        }
        InetSocketAddress remote = client;
        Peer peer = new Peer(
                remote == null ? "" : Sources.text(remote),
                remote == null ? 0 : Maglev.callerOf(remote.getAddress()),
                Sources.text(local),
                new ProxyHeader.Ends(remote == null ? local : remote, local),
                entry,
                true,
                "",
                false,
                0);
        channel.pipeline().addLast(Http1Connection.choosing(this, this, scope.http(), peer, channel));
        early.leave(channel.pipeline());
        channel.config().setAutoRead(true);
    }

    /** What a request or CONNECT names. */
    private record Named(String host, int port, int pathSkip) {
        static Named of(String authority, int pathSkip) {
            int colon = authority.lastIndexOf(':');
            if (colon < 0 || authority.indexOf(']', colon) >= 0) {
                return new Named(authority.toLowerCase(Locale.ROOT), 0, pathSkip);
            }
            String digits = authority.substring(colon + 1);
            int port = digits.matches("[0-9]{1,5}") ? Integer.parseInt(digits) : -1;
            return new Named(authority.substring(0, colon).toLowerCase(Locale.ROOT), port, pathSkip);
        }
    }

    @Override
    public void choose(RequestHead head, Consumer<Choice> then) {
        Named named;
        String authority = null;
        if (head.isAbsolute()) {
            named = Named.of(head.authority(), 0);
        } else {
            String path = head.path();
            int slash = path.indexOf('/', 1);
            String first = slash < 0 ? path.substring(Math.min(1, path.length())) : path.substring(1, slash);
            named = Named.of(first, first.length() + 1);
            authority = first;
        }
        if (named.host.isEmpty() || named.port < 0 || !named.host.matches("[a-z0-9._-]+")) {
            then.accept(
                    Choice.refuse("the first part of the path must name a service, as in /reviews/ or /reviews:9080/"));
            return;
        }
        String newAuthority = authority;
        Once once = new Once(scope.worker(), () -> then.accept(Choice.refuse("the control plane does not answer")));
        names.find(
                named.host,
                source.namespace(),
                service -> scope.onLoop(() -> {
                    if (service == null) {
                        once.run(() -> then.accept(Choice.refuse("no service " + named.host + " in the mesh")));
                        return;
                    }
                    ServicePort port = port(service, named.port);
                    if (port == null || service.addresses().isEmpty()) {
                        once.run(() -> then.accept(Choice.refuse("service " + service.hostname() + " has no port "
                                + (named.port == 0 ? "" : named.port))));
                        return;
                    }
                    OutboundService outbound =
                            scope.services().lookup(service.addresses().get(0), port.number());
                    outbound.whenKnown(() ->
                            scope.onLoop(() -> once.run(() -> then.accept(choice(outbound, named, newAuthority)))));
                }));
    }

    private static Choice choice(OutboundService outbound, Named named, @Nullable String authority) {
        var snapshot = outbound.snapshot();
        if (snapshot == null || !(snapshot.listener().target() instanceof Listener.Target.Http)) {
            return Choice.refuse(named.host + " is not served as HTTP: use CONNECT");
        }
        return new Choice(outbound, named.pathSkip, authority, "");
    }

    /** The port with this number; without one, the first HTTP port or else the first. */
    private static @Nullable ServicePort port(Service service, int number) {
        List<ServicePort> ports = service.ports();
        if (number > 0) {
            return ports.stream().filter(p -> p.number() == number).findFirst().orElse(null);
        }
        return ports.stream()
                .filter(p -> p.protocol().isHttp())
                .findFirst()
                .or(() -> ports.stream()
                        .filter(p -> p.protocol() != AppProtocol.UDP)
                        .findFirst())
                .orElse(null);
    }

    @Override
    public void connect(Channel channel, String authority, Consumer<@Nullable InetSocketAddress> then) {
        Named named = Named.of(authority, 0);
        if (named.port <= 0) {
            then.accept(null);
            return;
        }
        Once once = new Once(scope.worker(), () -> then.accept(null));
        names.find(named.host, source.namespace(), service -> {
            ServicePort port = service == null ? null : port(service, named.port);
            if (service != null && port != null && !service.addresses().isEmpty()) {
                InetSocketAddress address =
                        new InetSocketAddress(service.addresses().get(0), port.number());
                scope.onLoop(() -> once.run(() -> then.accept(address)));
            } else if (scope.passesUnknown()) {
                // Outside the mesh: the host's resolver knows it. It blocks, so not on the loop.
                Thread.ofVirtual().name("resolve").start(() -> {
                    InetSocketAddress found = new InetSocketAddress(named.host, named.port);
                    scope.onLoop(() -> once.run(() -> then.accept(found.isUnresolved() ? null : found)));
                });
            } else {
                scope.onLoop(() -> once.run(() -> then.accept(null)));
            }
        });
    }

    @Override
    public void tunnel(Channel channel, InetSocketAddress destination, @Nullable ByteBuf early) {
        OutboundFlow.begin(scope, channel, destination, true, early);
    }

    /** Lets only the first of an answer and a timeout through. */
    private static final class Once extends TimerWheel.Timer {
        private final Worker worker;
        private final Runnable late;
        private boolean over;

        Once(Worker worker, Runnable late) {
            this.worker = worker;
            this.late = late;
            worker.timers().set(this, System.nanoTime() + PATIENCE);
        }

        void run(Runnable task) {
            if (!over) {
                over = true;
                worker.timers().remove(this);
                task.run();
            }
        }

        @Override
        protected void expired() {
            run(late);
        }
    }
}
