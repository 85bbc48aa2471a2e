package dev.tulle.proxy.inbound;

import dev.tulle.proxy.hbone.Answers;
import dev.tulle.proxy.hbone.InboundStream;
import dev.tulle.proxy.tcp.TcpTarget;
import dev.tulle.proxy.transport.ClientTransport;
import dev.tulle.proxy.transport.ProxyHeader;
import dev.tulle.proxy.upstream.EndpointAccess;
import dev.tulle.proxy.upstream.Way;
import dev.tulle.telemetry.IstioMetrics;
import dev.tulle.telemetry.WorkloadLabels;
import java.net.InetSocketAddress;
import org.jspecify.annotations.Nullable;

/** A workload of this node as the end of a tunnel: whether there is one is answered when the workload is reached. Loop-confined. */
final class InboundTarget implements TcpTarget {
    private static final String DENIED = "UAEX";

    private final TcpTarget workload;
    private final InboundStream stream;
    private boolean tried;

    InboundTarget(TcpTarget workload, InboundStream stream) {
        this.workload = workload;
        this.stream = stream;
    }

    /** There is no other one to try. */
    @Override
    public @Nullable Choice choose() {
        Choice found = tried ? null : workload.choose();
        return found == null ? null : new Only(found);
    }

    @Override
    public void unserved(WorkloadLabels source, String flags) {
        workload.unserved(source, flags);
        stream.refuse(flags.equals(DENIED) ? Answers.DENIED : Answers.UNREACHABLE);
    }

    @Override
    public String cluster() {
        return workload.cluster();
    }

    @Override
    public void opened() {
        workload.opened();
    }

    @Override
    public void closed() {
        workload.closed();
    }

    private final class Only implements Choice {
        private final Choice choice;

        Only(Choice choice) {
            this.choice = choice;
        }

        @Override
        public void connectEnded(@Nullable Throwable failure) {
            choice.connectEnded(failure);
            tried = failure != null;
        }

        @Override
        public IstioMetrics.Connections metrics(WorkloadLabels source, String flags) {
            // Asked for when bytes begin to pass.
            stream.accept();
            return choice.metrics(source, flags);
        }

        @Override
        public InetSocketAddress address() {
            return choice.address();
        }

        @Override
        public String text() {
            return choice.text();
        }

        @Override
        public int connectTimeoutMillis() {
            return choice.connectTimeoutMillis();
        }

        @Override
        public @Nullable Way way() {
            return choice.way();
        }

        @Override
        public @Nullable ClientTransport transport() {
            return choice.transport();
        }

        @Override
        public byte @Nullable [] header(ProxyHeader.Ends ends) {
            return choice.header(ends);
        }

        @Override
        public void begin() {
            choice.begin();
        }

        @Override
        public void end() {
            choice.end();
        }

        @Override
        public EndpointAccess access() {
            return choice.access();
        }
    }
}
