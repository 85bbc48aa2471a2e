package dev.tulle.agent;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import com.google.gson.JsonPrimitive;
import dev.tulle.agent.enrol.Lease;
import dev.tulle.agent.enrol.RefusedException;
import dev.tulle.agent.enrol.RefusedException.Code;
import dev.tulle.common.Ip;
import dev.tulle.kernel.Conntrack;
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
    private final Conntrack tracked = Conntrack.open();

    NodeApi(AgentLoop loop, AgentState state) {
        this.loop = loop;
        this.state = state;
    }

    LocalApi api() {
        return new LocalApi(Map.of(
                "whois",
                (params, _) -> whois(params),
                "lease",
                (params, _) -> lease(params),
                "publications",
                this::publications,
                "outcomes",
                (_, _) -> loop.call(this::outcomes)));
    }

    /** Who has a lease; refused when nobody has it any more. */
    private JsonElement lease(JsonObject params) throws Exception {
        long number = params.has("lease") ? params.get("lease").getAsLong() : 0;
        Optional<Lease> found = loop.call(() -> state.byNumber(number));
        return named(found.orElseThrow(
                () -> new RefusedException(Code.NOT_FOUND, "lease " + number + " is nobody's on this node")));
    }

    /**
     * Whose connection it is that the proxy has accepted from {@code remote} at {@code local}; {@code dialled} is what the
     * client wanted. The socket's own ends are looked up, and the control group that made it is its owner. Where the
     * kernel's rules redirect packets the client's socket has other ends than the accepted one: the dialled address, and
     * often another port, which connection tracking knows. A socket that is not there (any more) is nobody's and not outside
     * either.
     */
    private JsonElement whois(JsonObject params) throws Exception {
        InetSocketAddress client = address(params, "remote");
        InetSocketAddress local = address(params, "local");
        InetSocketAddress dialled = params.has("dialled") ? address(params, "dialled") : local;
        boolean redirected = !state.datapath().tier().hasOwnAddresses() && !dialled.equals(local);
        Optional<SockDiag.Socket> socket = redirected ? redirected(client, local, dialled) : sockets.tcp(client, local);
        long group = socket.map(SockDiag.Socket::cgroupId).orElse(0L);
        if (group == 0) {
            return unnamed(false);
        }
        Optional<Lease> found = loop.call(() -> state.byGroup(group));
        // Here the programs name every workload's connection: one that they did not name is of no workload of now.
        boolean byPrograms = state.datapath().tier().hasOwnAddresses();
        return found.isPresent() && !byPrograms ? named(found.get()) : unnamed(found.isEmpty());
    }

    private Optional<SockDiag.Socket> redirected(
            InetSocketAddress client, InetSocketAddress local, InetSocketAddress dialled) {
        return tracked.original(client, local)
                .filter(ends -> ends.to().equals(dialled))
                .flatMap(ends -> sockets.tcp(ends.from(), ends.to()));
    }

    private JsonObject named(Lease lease) {
        JsonObject answer = new JsonObject();
        answer.addProperty("workload", state.uid(lease));
        answer.addProperty("lease", lease.number());
        answer.addProperty("name", lease.spec().name());
        answer.addProperty("namespace", lease.spec().namespace());
        answer.addProperty("principal", lease.caller().principal());
        return answer;
    }

    /** @param outside true for a process that is known to be in no workload, false where nothing is known */
    private static JsonObject unnamed(boolean outside) {
        JsonObject answer = new JsonObject();
        answer.addProperty("workload", "");
        answer.addProperty("outside", outside);
        return answer;
    }

    /** How requests to this node's endpoints ended, in the kernel and as the proxy has told it. */
    private JsonElement outcomes() {
        JsonArray all = new JsonArray();
        state.datapath().httpOutcomes().forEach(outcome -> all.add(OutcomeJson.of(outcome)));
        return all;
    }

    private static InetSocketAddress address(JsonObject params, String field) throws RefusedException {
        String text = params.get(field) instanceof JsonPrimitive one ? one.getAsString() : "";
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
        tracked.close();
    }
}
