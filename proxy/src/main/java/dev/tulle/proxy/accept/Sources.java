package dev.tulle.proxy.accept;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import dev.tulle.common.Cidr;
import dev.tulle.common.Ip;
import dev.tulle.model.Caller;
import dev.tulle.proxy.discovery.WorkloadDirectory;
import dev.tulle.telemetry.WorkloadLabels;
import io.netty.channel.Channel;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.nio.file.Path;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Who a client is. The connection tells, never an address: where the kernel's programs are in force they name the lease
 * that the caller has, and the agent says whose that is; in the lower tiers the agent asks the kernel which control group
 * the client's socket belongs to. What can be said of nobody stays pending, and whoever depends on it refuses. Any
 * thread.
 */
public final class Sources implements AutoCloseable {
    private static final System.Logger LOG = System.getLogger(Sources.class.getName());
    /** The agent may just be starting anew. */
    private static final int ATTEMPTS = 4;

    private static final long PAUSE_MILLIS = 500;

    private final WorkloadDirectory workloads;
    private final @Nullable AgentLine line;
    private final Cidr range;
    private final WorkloadDirectory.Entry unknown = WorkloadDirectory.Entry.fixed(WorkloadLabels.UNKNOWN);
    private final HostAddresses host = new HostAddresses();

    /**
     * Sources.
     *
     * @param nodeSocket where the agent answers; null when there is no agent, and then nobody has a name
     * @param range the workloads' addresses: whoever has one is of this host, on whatever interface it stands
     */
    public Sources(WorkloadDirectory workloads, @Nullable Path nodeSocket, Cidr range) {
        this.workloads = workloads;
        this.range = range;
        this.line = nodeSocket == null ? null : new AgentLine(nodeSocket);
    }

    /** Somebody of whom it is not known who it is: what depends on that is refused. */
    public WorkloadDirectory.Entry pending() {
        return WorkloadDirectory.Entry.pending();
    }

    /** Somebody who is known to be no workload of this node. */
    public WorkloadDirectory.Entry unknown() {
        return unknown;
    }

    /** Under which name a connection counts until it is known whose it is. */
    static String presumed(@Nullable SocketAddress remote) {
        return remote instanceof InetSocketAddress client
                        && client.getAddress() != null
                        && !client.getAddress().isLoopbackAddress()
                ? Ip.text(client.getAddress())
                : "host";
    }

    /**
     * Finds the workload behind an accepted connection and calls back, at once or on another thread.
     *
     * @param dialled where the client wanted to go, when the connection was redirected; else the channel's own address
     */
    public void find(Channel channel, InetSocketAddress dialled, Consumer<WorkloadDirectory.Entry> then) {
        AgentLine agent = line;
        if (agent == null) {
            then.accept(unknown);
            return;
        }
        Accepted kernel = Accepted.of(channel);
        InetSocketAddress client = (InetSocketAddress) channel.remoteAddress();
        InetSocketAddress local = (InetSocketAddress) channel.localAddress();
        if (kernel != null && kernel.who() == Accepted.Who.NAMED) {
            WorkloadDirectory.Entry known = workloads.ofLease(kernel.lease());
            if (known == null) {
                ask(agent, leaseQuestion(kernel.lease()), then);
            } else {
                then.accept(known);
            }
        } else if (kernel != null && kernel.who() == Accepted.Who.UNNAMED) {
            then.accept(pending());
        } else if (client == null || local == null) {
            then.accept(pending());
        } else if (host.contain(client.getAddress()) || range.contains(Ip.text(client.getAddress()))) {
            // Also where the kernel says that it is nobody's: a second witness, should it have had no room to note it.
            ask(agent, socketQuestion(client, local, dialled), then);
        } else {
            then.accept(unknown);
        }
    }

    private static JsonObject leaseQuestion(long lease) {
        JsonObject params = new JsonObject();
        params.addProperty("lease", lease);
        return question("lease", params);
    }

    private static JsonObject socketQuestion(
            InetSocketAddress client, InetSocketAddress local, InetSocketAddress dialled) {
        JsonObject params = new JsonObject();
        params.addProperty("remote", text(client));
        params.addProperty("local", text(local));
        params.addProperty("dialled", text(dialled));
        return question("whois", params);
    }

    private static JsonObject question(String method, JsonObject params) {
        JsonObject request = new JsonObject();
        request.addProperty("method", method);
        request.add("params", params);
        return request;
    }

    private void ask(AgentLine agent, JsonObject request, Consumer<WorkloadDirectory.Entry> then) {
        Thread.ofVirtual().name("whois").start(() -> then.accept(answer(agent, request)));
    }

    private WorkloadDirectory.Entry answer(AgentLine agent, JsonObject request) {
        for (int attempt = 1; ; attempt++) {
            try {
                JsonObject answer =
                        JsonParser.parseString(agent.ask(request.toString())).getAsJsonObject();
                return answer.get("ok").getAsBoolean() ? entry(answer.getAsJsonObject("result")) : pending();
            } catch (IOException | RuntimeException e) {
                // Nobody has said that it is no workload: taken for one outside, it would pass a DENY that names it.
                LOG.log(System.Logger.Level.DEBUG, () -> request + ": " + e);
                if (attempt == ATTEMPTS || !pause()) {
                    return pending();
                }
            }
        }
    }

    private static boolean pause() {
        try {
            Thread.sleep(PAUSE_MILLIS);
            return true;
        } catch (InterruptedException e) {
            return false;
        }
    }

    private WorkloadDirectory.Entry entry(JsonObject result) {
        String uid = result.get("workload").getAsString();
        if (uid.isEmpty()) {
            return result.get("outside").getAsBoolean() ? unknown : pending();
        }
        return workloads.ofLease(
                result.get("lease").getAsLong(),
                uid,
                new Caller(
                        result.get("principal").getAsString(),
                        result.get("namespace").getAsString()),
                WorkloadLabels.named(
                        result.get("name").getAsString(),
                        result.get("namespace").getAsString()));
    }

    /** Address and port as people write them. */
    public static String text(InetSocketAddress address) {
        String host = address.getAddress().getHostAddress();
        int scope = host.indexOf('%');
        host = scope < 0 ? host : host.substring(0, scope);
        return (host.indexOf(':') >= 0 ? "[" + host + "]" : host) + ":" + address.getPort();
    }

    /** No connection is accepted any more. */
    @Override
    public void close() {
        AgentLine agent = line;
        if (agent != null) {
            agent.close();
        }
    }
}
