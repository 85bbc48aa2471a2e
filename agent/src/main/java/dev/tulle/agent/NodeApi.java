package dev.tulle.agent;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import dev.tulle.agent.enrol.Lease;
import dev.tulle.agent.enrol.RefusedException;
import dev.tulle.agent.enrol.RefusedException.Code;
import dev.tulle.common.Ip;
import dev.tulle.kernel.SockDiag;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;

/** The methods of {@code node.sock}: what the node proxy may ask. Thread-safe. */
final class NodeApi implements AutoCloseable {
    /** An unchanged message is sent again this often, so that a proxy that has gone is noticed. */
    private static final Duration REPEAT = Duration.ofSeconds(30);

    private final AgentLoop loop;
    private final AgentState state;
    private final SockDiag sockets = SockDiag.open();

    NodeApi(AgentLoop loop, AgentState state) {
        this.loop = loop;
        this.state = state;
    }

    LocalApi api() {
        return new LocalApi(Map.of(
                "whois",
                (params, _) -> whois(params),
                "publications",
                this::publications,
                "outcomes",
                (_, _) -> loop.call(this::outcomes)));
    }

    /** Whose connection it is that the proxy sees from {@code remote} to {@code local} (what the client dialled). */
    private JsonElement whois(JsonObject params) throws Exception {
        InetSocketAddress client = address(params, "remote");
        InetSocketAddress dialled = address(params, "local");
        JsonObject answer = new JsonObject();
        Optional<Lease> byAddress = loop.call(() -> state.byAddress(Ip.text(client.getAddress())));
        Optional<Lease> found = byAddress;
        if (found.isEmpty()) {
            Optional<SockDiag.Socket> socket = sockets.tcp(client, dialled);
            if (socket.isPresent()) {
                long group = socket.get().cgroupId();
                found = loop.call(() -> state.byGroup(group));
            }
        }
        answer.addProperty("workload", found.map(state::uid).orElse(""));
        answer.addProperty("name", found.map(lease -> lease.spec().name()).orElse(""));
        answer.addProperty(
                "namespace", found.map(lease -> lease.spec().namespace()).orElse(""));
        return answer;
    }

    /** How requests to this node's endpoints ended, in the kernel and as the proxy has told it. */
    private JsonElement outcomes() {
        JsonArray all = new JsonArray();
        state.datapath().httpOutcomes().forEach(outcome -> all.add(OutcomeJson.of(outcome)));
        return all;
    }

    private static InetSocketAddress address(JsonObject params, String field) throws RefusedException {
        String text = params.has(field) ? params.get(field).getAsString() : "";
        int colon = text.lastIndexOf(':');
        String host = colon < 0 ? "" : text.substring(0, colon);
        host = host.startsWith("[") && host.endsWith("]") ? host.substring(1, host.length() - 1) : host;
        String port = text.substring(colon + 1);
        if (Ip.parse(host).isEmpty() || !port.matches("[0-9]{1,5}") || Integer.parseInt(port) > 65535) {
            throw new RefusedException(Code.INVALID, field + ": expected ADDRESS:PORT, found '" + text + "'");
        }
        return new InetSocketAddress(Ip.parse(host).orElseThrow(), Integer.parseInt(port));
    }

    private JsonElement publications(JsonObject params, LocalApi.Stream stream) throws Exception {
        Publications publications = state.publications();
        Publications.Published last = publications.now();
        stream.send(JsonParser.parseString(last.listeners()));
        while (publications.await(last.version(), REPEAT)) {
            last = publications.now();
            stream.send(JsonParser.parseString(last.listeners()));
        }
        return JsonParser.parseString(last.listeners());
    }

    @Override
    public void close() {
        sockets.close();
    }
}
