package dev.tulle.proxy.accept;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import dev.tulle.common.Ip;
import dev.tulle.common.LocalApiClient;
import dev.tulle.proxy.discovery.WorkloadDirectory;
import dev.tulle.telemetry.WorkloadLabels;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.util.concurrent.Semaphore;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Who a client is: by its own mesh address, or, in the tiers where clients keep the loopback address, by asking the agent
 * which cgroup owns the socket. Any thread.
 */
public final class Sources {
    private static final System.Logger LOG = System.getLogger(Sources.class.getName());
    private static final int MAX_QUESTIONS = 64;

    private final WorkloadDirectory workloads;
    private final @Nullable Path nodeSocket;
    private final WorkloadDirectory.Entry unknown = WorkloadDirectory.Entry.fixed(WorkloadLabels.UNKNOWN);
    private final Semaphore questions = new Semaphore(MAX_QUESTIONS);

    /**
     * Sources.
     *
     * @param nodeSocket where the agent answers; null when there is no agent
     */
    public Sources(WorkloadDirectory workloads, @Nullable Path nodeSocket) {
        this.workloads = workloads;
        this.nodeSocket = nodeSocket;
    }

    /** Somebody of whom it is not known who it is: what depends on that is refused. */
    public WorkloadDirectory.Entry pending() {
        return WorkloadDirectory.Entry.never();
    }

    /** Nobody known. */
    public WorkloadDirectory.Entry unknown() {
        return unknown;
    }

    /** Finds the client's workload and calls back, at once or on another thread. */
    public void find(InetSocketAddress client, InetSocketAddress dialled, Consumer<WorkloadDirectory.Entry> then) {
        InetAddress address = client.getAddress();
        if (!address.isLoopbackAddress()) {
            then.accept(workloads.byAddress(Ip.text(address)));
        } else if (nodeSocket == null) {
            then.accept(unknown);
        } else {
            Thread.ofVirtual().name("whois").start(() -> {
                questions.acquireUninterruptibly();
                WorkloadDirectory.Entry found;
                try {
                    found = ask(nodeSocket, client, dialled);
                } finally {
                    questions.release();
                }
                then.accept(found);
            });
        }
    }

    private WorkloadDirectory.Entry ask(Path socket, InetSocketAddress client, InetSocketAddress dialled) {
        JsonObject params = new JsonObject();
        params.addProperty("local", text(dialled));
        params.addProperty("remote", text(client));
        JsonObject request = new JsonObject();
        request.addProperty("method", "whois");
        request.add("params", params);
        try (LocalApiClient api = LocalApiClient.connect(socket)) {
            JsonObject answer =
                    JsonParser.parseString(api.call(request.toString())).getAsJsonObject();
            if (!answer.get("ok").getAsBoolean()) {
                return unknown;
            }
            String uid = answer.getAsJsonObject("result").get("workload").getAsString();
            return uid.isEmpty() ? unknown : workloads.byUid(uid);
        } catch (IOException | RuntimeException e) {
            // Nobody has said that it is no workload: taken for one outside, it would pass a DENY that names it.
            LOG.log(System.Logger.Level.DEBUG, () -> "whois " + client + ": " + e);
            return pending();
        }
    }

    /** Address and port as people write them. */
    public static String text(InetSocketAddress address) {
        String host = address.getAddress().getHostAddress();
        int scope = host.indexOf('%');
        host = scope < 0 ? host : host.substring(0, scope);
        return (host.indexOf(':') >= 0 ? "[" + host + "]" : host) + ":" + address.getPort();
    }
}
