package dev.tulle.proxy;

import dev.tulle.proxy.lease.ClientInfo;
import dev.tulle.proxy.lease.HttpOptions;
import dev.tulle.proxy.lease.LeaseInfo;
import dev.tulle.proxy.lease.LeaseState;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * The kernel's HTTP programs as the proxy sees them: the same states, changed by the test instead of by applications. It
 * forwards nothing by itself; a request that it "takes" is written on the connection that it was lent, and what the
 * server answers arrives at the proxy, as it does once the kernel has handed the connection over.
 */
@SuppressWarnings("FutureReturnValueIgnored") // A failed write closes the channel, which the test sees.
final class KernelModel implements HttpOptions {
    /** A connection to an endpoint. */
    static final class Lease {
        final Channel channel;
        long cookie;
        LeaseState state = LeaseState.PROXY;
        LeaseState taken = LeaseState.PROXY;
        long since;
        long remaining;
        boolean unproven;
        boolean renew;
        int timeoutMillis;
        int code;

        @Nullable
        Client client;

        boolean forgotten;

        Lease(Channel channel) {
            this.channel = channel;
        }
    }

    /** A client's connection. */
    static final class Client {
        final Channel channel;
        int gives;
        boolean owned;

        @Nullable
        Lease lease;

        long since;
        byte[] head = {};
        int bodyLength;
        long left;

        Client(Channel channel) {
            this.channel = channel;
        }
    }

    final Map<Channel, Lease> leases = new HashMap<>();
    final Map<Channel, Client> clients = new HashMap<>();
    final List<String> calls = new ArrayList<>();
    final List<Integer> outcomes = new ArrayList<>();
    private final Map<Integer, Long> passed = new HashMap<>();
    boolean there = true;
    boolean knowsClients = true;

    /** Offers that are refused, with the advice to make a new connection. */
    int renewals;

    @Override
    public synchronized boolean give(Channel channel, long consumed, int loop, int after) {
        calls.add("give");
        if (there && knowsClients) {
            Client client = clients.computeIfAbsent(channel, Client::new);
            Lease busy = client.lease;
            if (busy != null && (busy.state.bit() & LeaseState.BUSY) != 0) {
                return true;
            }
            int port = ((InetSocketAddress) channel.remoteAddress()).getPort();
            if (passed.getOrDefault(port, consumed) == consumed) {
                client.owned = true;
                client.gives++;
            }
            Lease held = client.lease;
            if (held != null && held.state != LeaseState.HELD) {
                client.lease = null;
            }
            notifyAll();
        }
        return there;
    }

    @Override
    public synchronized @Nullable ClientInfo client(Channel channel) {
        calls.add("client");
        Client client = clients.get(channel);
        if (!there || client == null || !channel.isOpen()) {
            return null;
        }
        Lease lease = client.lease;
        return new ClientInfo(
                lease == null ? 0 : lease.cookie,
                lease == null ? LeaseState.PROXY : lease.state,
                lease == null ? LeaseState.PROXY : lease.taken,
                client.since,
                client.owned,
                client.gives,
                Unpooled.wrappedBuffer(client.head),
                client.bodyLength,
                client.left);
    }

    @Override
    public synchronized boolean offer(Channel channel, long cookie, int loop) {
        calls.add("offer");
        if (there) {
            Lease lease = leases.computeIfAbsent(channel, Lease::new);
            if (renewals > 0) {
                renewals--;
                lease.renew = true;
                return true;
            }
            lease.cookie = cookie;
            lease.state = LeaseState.POOLED;
            lease.taken = LeaseState.PROXY;
            lease.since = 0;
            lease.client = null;
            notifyAll();
        }
        return there;
    }

    @Override
    public synchronized void take(Channel channel, int states) {
        calls.add("take");
        Lease lease = leases.get(channel);
        if (lease != null && (states & lease.state.bit()) != 0) {
            become(lease, LeaseState.PROXY);
        }
    }

    @Override
    public synchronized @Nullable LeaseInfo lease(Channel channel) {
        calls.add("lease");
        Lease lease = leases.get(channel);
        if (!there || lease == null || lease.forgotten || !channel.isOpen()) {
            return null;
        }
        Client client = lease.client;
        return new LeaseInfo(
                lease.cookie,
                lease.state,
                lease.taken,
                lease.since,
                lease.remaining,
                lease.unproven,
                lease.renew,
                lease.timeoutMillis,
                lease.code,
                client == null
                        ? new InetSocketAddress("0.0.0.0", 0)
                        : (InetSocketAddress) client.channel.remoteAddress());
    }

    @Override
    public synchronized boolean outcome(Channel any, InetSocketAddress endpoint, int code) {
        outcomes.add(code);
        return there;
    }

    private void become(Lease lease, LeaseState state) {
        if (state == LeaseState.PROXY && lease.state != LeaseState.PROXY) {
            lease.taken = lease.state;
            if (lease.client != null && lease.state != LeaseState.HELD && lease.state != LeaseState.POOLED) {
                // Until the next GIVE its requests go to the proxy.
                lease.client.owned = false;
            }
        }
        lease.state = state;
        notifyAll();
    }

    // ---- what applications make the kernel do ----

    /** A client sends bytes that the kernel does not take. */
    synchronized void passes(Socket client, int bytes) {
        passed.merge(client.getLocalPort(), (long) bytes, Long::sum);
        clients.values().stream()
                .filter(one -> ((InetSocketAddress) one.channel.remoteAddress()).getPort() == client.getLocalPort())
                .forEach(one -> one.owned = false);
    }

    /** True when some client's connection is the kernel's. */
    synchronized boolean isGiven() {
        return clients.values().stream().anyMatch(client -> client.owned && client.channel.isOpen());
    }

    /** Waits until some client's connection is the kernel's. */
    synchronized Client given() throws InterruptedException {
        await(KernelModel::isGiven, "GIVE");
        return clients.values().stream()
                .filter(client -> client.owned && client.channel.isOpen())
                .findFirst()
                .orElseThrow();
    }

    /** Waits until some connection is in this state. */
    synchronized Lease lease(LeaseState state) throws InterruptedException {
        await(
                model -> leases.values().stream().anyMatch(one -> one.state == state && one.channel.isOpen()),
                "a lease in state " + state);
        return leases.values().stream()
                .filter(one -> one.state == state && one.channel.isOpen())
                .findFirst()
                .orElseThrow();
    }

    synchronized void await(Predicate<KernelModel> what, String name) throws InterruptedException {
        long deadline = System.nanoTime() + 5_000_000_000L;
        while (!what.test(this)) {
            if (System.nanoTime() > deadline) {
                throw new AssertionError("did not come within 5 s: " + name);
            }
            wait(10);
        }
    }

    /** The client has the connection, with nothing outstanding. */
    synchronized void hold(Client client, Lease lease) {
        lease.client = client;
        client.lease = lease;
        become(lease, LeaseState.HELD);
    }

    /** The client's request is taken, and this is its beginning; its server gets it. */
    synchronized void begin(Client client, Lease lease, String beginning, int left) {
        send(client, lease, beginning);
        client.bodyLength += left;
        client.left = left;
        lease.remaining = left;
        become(lease, LeaseState.BODY);
    }

    /** The client's request is taken; its server gets it. */
    synchronized void send(Client client, Lease lease, String request) {
        take(client, lease, request);
        lease.channel
                .eventLoop()
                .execute(() -> lease.channel.writeAndFlush(
                        Unpooled.copiedBuffer(request, StandardCharsets.ISO_8859_1), lease.channel.voidPromise()));
    }

    /** The client's request is taken; its server never sees it. */
    synchronized void take(Client client, Lease lease, String request) {
        int end = request.indexOf("\r\n\r\n") + 4;
        client.head = request.substring(0, end).getBytes(StandardCharsets.ISO_8859_1);
        client.bodyLength = request.length() - end;
        client.left = 0;
        client.since = System.nanoTime();
        client.lease = lease;
        lease.client = client;
        lease.since = client.since;
        lease.code = 0;
        lease.remaining = 0;
        lease.unproven = false;
        become(lease, LeaseState.SENT);
    }

    /** The response's head, and a part of its body, went to the client. */
    synchronized void answering(Lease lease, int code, long remaining) {
        lease.code = code;
        lease.remaining = remaining;
        become(lease, LeaseState.ANSWER);
    }

    /** The whole response went to the client. */
    synchronized void answered(Lease lease) {
        become(lease, LeaseState.HELD);
    }

    /** The client needs another one. */
    synchronized void pool(Lease lease) {
        Client client = lease.client;
        if (client != null) {
            client.lease = null;
        }
        lease.client = null;
        become(lease, LeaseState.POOLED);
    }

    /** The connection was reset: its own socket knows nothing any more. */
    synchronized void reset(Lease lease) {
        become(lease, LeaseState.PROXY);
        lease.forgotten = true;
    }

    synchronized long count(String call) {
        return calls.stream().filter(call::equals).count();
    }

    synchronized LeaseState state(Lease lease) {
        return lease.state;
    }
}
