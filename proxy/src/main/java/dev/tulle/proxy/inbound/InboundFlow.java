package dev.tulle.proxy.inbound;

import dev.tulle.common.Ip;
import dev.tulle.common.pki.SpiffeId;
import dev.tulle.model.Authorizer;
import dev.tulle.model.Caller;
import dev.tulle.model.WeightedCluster;
import dev.tulle.proxy.accept.InboundBytes;
import dev.tulle.proxy.accept.LoopScope;
import dev.tulle.proxy.discovery.OutboundService;
import dev.tulle.proxy.discovery.WorkloadAddresses;
import dev.tulle.proxy.discovery.WorkloadDirectory;
import dev.tulle.proxy.hbone.Answers;
import dev.tulle.proxy.hbone.InboundStream;
import dev.tulle.proxy.hbone.TunnelChannel;
import dev.tulle.proxy.loop.TimerWheel;
import dev.tulle.proxy.tcp.ServiceTarget;
import dev.tulle.proxy.upstream.EndpointAccess;
import dev.tulle.proxy.upstream.EndpointPool;
import dev.tulle.proxy.upstream.ServiceView;
import dev.tulle.proxy.upstream.WorkerCluster;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.socket.ChannelInputShutdownEvent;
import io.netty.handler.codec.http2.Http2Headers;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * One tunnel from its question to what it carries: it must lead to a workload of this node, and what the workload's policies
 * settle for the caller is settled here: bytes go on as bytes, and only where a policy has to see requests are they read as
 * such. Loop-confined.
 */
// A failed close reaches the handlers by itself.
@SuppressWarnings("FutureReturnValueIgnored")
final class InboundFlow extends ChannelInboundHandlerAdapter {
    private final LoopScope loop;
    private final InboundStream stream;
    private final WorkloadDirectory.Entry source;
    private final InetSocketAddress dialled;
    private final WorkloadAddresses.Addressed local;
    private final TimerWheel.Timer patience = new TimerWheel.Timer() {
        @Override
        protected void expired() {
            refuse(Answers.UNREACHABLE, "tunnel_not_known");
        }
    };
    private @Nullable TunnelChannel channel;
    private boolean over;

    private InboundFlow(
            LoopScope loop,
            InboundStream stream,
            WorkloadDirectory.Entry source,
            InetSocketAddress dialled,
            WorkloadAddresses.Addressed local) {
        this.loop = loop;
        this.stream = stream;
        this.source = source;
        this.dialled = dialled;
        this.local = local;
    }

    /** A tunnel is asked for. */
    static void begin(InboundConnection by, InboundStream stream, Http2Headers fields) {
        LoopScope loop = by.loop();
        InboundQuestion question = InboundQuestion.read(fields);
        InetSocketAddress dialled = question.dialled();
        if (dialled == null || !loop.isOfMesh(dialled.getAddress())) {
            loop.refused().with("tunnel_bad_request").increment();
            stream.refuse(Answers.BAD_REQUEST);
            return;
        }
        WorkloadAddresses.Addressed local = by.scope().workloads().retain(Ip.text(dialled.getAddress()));
        if (local == null) {
            loop.refused().with("tunnel_too_many_addresses").increment();
            stream.refuse(Answers.UNREACHABLE);
            return;
        }
        InetSocketAddress client = client(by, question.client());
        WorkloadDirectory.Entry source = source(by, client.getAddress());
        new InboundFlow(loop, stream, source, dialled, local).await(by, client);
    }

    /** From where the caller says to call, which counts for logs only; its node where it does not. */
    private static InetSocketAddress client(InboundConnection by, @Nullable InetAddress said) {
        InetSocketAddress node = (InetSocketAddress) by.channel().remoteAddress();
        return said == null ? node : new InetSocketAddress(said, 0);
    }

    /** A node's own proxy speaks for callers without an identity, whom it lets in. */
    private static WorkloadDirectory.Entry source(InboundConnection by, InetAddress client) {
        SpiffeId peer = by.peer();
        Optional<SpiffeId.WorkloadName> workload = peer.workload();
        return workload.isEmpty()
                ? by.loop().sources().unknown()
                : by.scope()
                        .callers()
                        .ofCertificate(
                                new Caller(peer.principal(), workload.get().namespace()), Ip.text(client));
    }

    private void await(InboundConnection by, InetSocketAddress client) {
        TunnelChannel made = stream.begin(by.channel(), dialled, client, this);
        channel = made;
        made.closeFuture().addListener(closed -> {
            over = true;
            loop.worker().timers().remove(patience);
            local.release();
        });
        if (loop.shares().accept(made, InboundPort.nameOf(by.peer()), false) == null) {
            refuse(Answers.UNREACHABLE, "client_over_share");
            return;
        }
        loop.connections().add(made);
        loop.worker().timers().set(patience, System.nanoTime() + loop.onDemandNanos());
        local.whenKnown(() -> loop.onLoop(this::goOn));
    }

    private void refuse(int status, String why) {
        if (!over) {
            over = true;
            loop.worker().timers().remove(patience);
            loop.refused().with(why).increment();
            stream.refuse(status);
        }
    }

    private void goOn() {
        TunnelChannel of = channel;
        if (over || of == null) {
            return;
        }
        if (local.here() == null) {
            refuse(Answers.BAD_REQUEST, "tunnel_not_of_this_node");
            return;
        }
        OutboundService service = local.port(dialled.getPort());
        if (service == null) {
            refuse(Answers.UNREACHABLE, "tunnel_too_many_ports");
            return;
        }
        ServiceView view = loop.upstreams().view(service);
        EndpointPool pool = view == null ? null : only(view);
        if (view == null || pool == null) {
            refuse(Answers.UNREACHABLE, "tunnel_not_known");
            return;
        }
        EndpointAccess access = pool.access();
        Authorizer.Early early = access.early(source, local.protocol(dialled.getPort()));
        if (early == null) {
            access.whenKnown(source, this::goOn);
            return;
        }
        over = true;
        loop.worker().timers().remove(patience);
        of.pipeline().remove(this);
        if (early == Authorizer.Early.NEEDS_REQUEST) {
            stream.accept();
            InboundBytes.read(loop, of, service, source);
        } else {
            List<WeightedCluster> whole = List.of(new WeightedCluster(pool.cluster(), 1));
            ServiceTarget target = new ServiceTarget(loop.upstreams(), service, view, whole, 0);
            InboundBytes.relay(loop, of, service, source, new InboundTarget(target, stream));
        }
        if (of.isOpen() && of.isInputShutdown()) {
            // The caller had said everything before anybody was there to hear it.
            of.pipeline().fireUserEventTriggered(ChannelInputShutdownEvent.INSTANCE);
        }
    }

    private static @Nullable EndpointPool only(ServiceView view) {
        for (WorkerCluster cluster : view.clusters().values()) {
            if (cluster.pools().length > 0) {
                return cluster.pools()[0];
            }
        }
        return null;
    }
}
