package dev.tulle.proxy.accept;

import dev.tulle.common.pki.UnusableCertificateException;
import dev.tulle.model.EdgeNames;
import dev.tulle.model.EdgeTls;
import dev.tulle.model.Listener;
import dev.tulle.proxy.discovery.OutboundService;
import dev.tulle.proxy.discovery.ServiceDirectory;
import dev.tulle.proxy.transport.Followed;
import dev.tulle.xds.ResourceType;
import dev.tulle.xds.ResourceWatcher;
import dev.tulle.xds.Subscription;
import dev.tulle.xds.UnusableResourceException;
import dev.tulle.xds.XdsClient;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandler;
import io.netty.handler.ssl.SslContext;
import io.netty.util.ReferenceCountUtil;
import java.io.IOException;
import java.security.GeneralSecurityException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import java.util.stream.Collectors;
import javax.net.ssl.SSLException;
import org.jspecify.annotations.Nullable;

/**
 * Keeps the listeners of the mesh's edge as Gateways want them, on a thread of its own: the agent, which opens the ports,
 * may come to it later than this process.
 */
final class EdgePorts implements AutoCloseable, ResourceWatcher<Listener> {
    private static final System.Logger LOG = System.getLogger(EdgePorts.class.getName());
    /** An agent that has just heard of a port opens it within some of these. */
    private static final int SOON = 10;

    private static final long SOON_MILLIS = 100;
    private static final long LATER_MILLIS = 1_000;

    /** Opens a listener; may block. */
    @FunctionalInterface
    interface Binder {
        Channel bind(String address, int port, Function<LoopScope, ChannelHandler> first) throws IOException;
    }

    private final XdsClient xds;
    private final ServiceDirectory services;
    private final Binder binder;
    private final List<String> addresses;
    private final Runnable onApplied;
    /** Those that are served, or are about to be; made and dropped under this object's lock. */
    private final Map<Integer, EdgePort> open = new HashMap<>();

    private final EdgeContexts contexts = new EdgeContexts(this::made);
    /** What TLS was ever made of its files, and what could not be, both by the thread that is told and others. */
    private final Set<EdgeTls> usable = new HashSet<>();

    private final Map<EdgeTls, String> refused = new HashMap<>();
    private final CountDownLatch applied = new CountDownLatch(1);
    private final Semaphore news = new Semaphore(0);
    private final Thread thread;
    private @Nullable Subscription subscription;
    private List<Listener.Target.Chain> wanted = List.of();
    private volatile Set<Integer> announced = Set.of();
    private volatile boolean closed;
    private volatile String ports = "";
    private volatile Map<Listener.Target.Chain, Followed<SslContext>> followed = Map.of();

    /**
     * Not followed yet.
     *
     * @param addresses where each port is served
     * @param onApplied called on the thread that follows, whenever each listener that is wanted was opened or cannot be now
     */
    EdgePorts(XdsClient xds, ServiceDirectory services, List<String> addresses, Binder binder, Runnable onApplied) {
        this.xds = xds;
        this.services = services;
        this.addresses = List.copyOf(addresses);
        this.binder = binder;
        this.onApplied = onApplied;
        this.thread = Thread.ofPlatform().name("edge-ports").daemon().unstarted(this::run);
    }

    void start() {
        thread.start();
        synchronized (this) {
            subscription = xds.watch(ResourceType.LISTENER, Listener.EDGE, this);
        }
    }

    @Override
    public void onChanged(Listener listener) {
        Listener.Target.Edge edge = listener.target() instanceof Listener.Target.Edge of ? of : null;
        announced = edge == null ? Set.of() : edge.announced();
        List<String> unusable = want(edge == null ? List.of() : edge.chains());
        if (!unusable.isEmpty()) {
            throw new UnusableResourceException(String.join("; ", unusable));
        }
    }

    @Override
    public void onAbsent() {
        var _ = want(List.of());
    }

    @Override
    public void onTrouble(String reason) {
        // What is served stays.
    }

    /**
     * Puts chains in force. One whose certificate cannot be used leaves in force what was there for the same names and
     * callers; any other, as one that asks for other callers' certificates, takes no connection until its files are there.
     *
     * @return what cannot be used, and why
     */
    private synchronized List<String> want(List<Listener.Target.Chain> chains) {
        Map<String, Listener.Target.Chain> before = new HashMap<>();
        wanted.forEach(chain -> before.put(chain.name(), chain));
        refused.clear();
        List<String> troubles = new ArrayList<>();
        List<Listener.Target.Chain> next = new ArrayList<>();
        for (Listener.Target.Chain chain : chains) {
            String trouble = chain.tls().map(this::unusable).orElse("");
            if (!trouble.isEmpty()) {
                troubles.add(nameOf(chain) + ": " + trouble);
            }
            Listener.Target.Chain old = before.get(chain.name());
            next.add(trouble.isEmpty() || old == null || !isForTheSame(old, chain) ? chain : old);
        }
        wanted = List.copyOf(next);
        open.forEach((port, known) -> known.mean(names(port), announced.contains(port)));
        news.release();
        return troubles;
    }

    private EdgeNames names(int port) {
        return new EdgeNames(
                wanted.stream().filter(chain -> chain.port() == port).toList());
    }

    private synchronized EdgePort open(int port) {
        return open.computeIfAbsent(port, number -> new EdgePort(names(number), announced.contains(number)));
    }

    /** Those of which a port is none any more. */
    private synchronized List<EdgePort> unwanted(Set<Integer> ports) {
        List<EdgePort> over = new ArrayList<>();
        open.entrySet().removeIf(entry -> !ports.contains(entry.getKey()) && over.add(entry.getValue()));
        return over;
    }

    private static boolean isForTheSame(Listener.Target.Chain old, Listener.Target.Chain chain) {
        return old.serverNames().equals(chain.serverNames())
                && old.passes() == chain.passes()
                && old.tls().map(EdgeTls::authorities).equals(chain.tls().map(EdgeTls::authorities))
                && old.tls().map(EdgeTls::onlyNewest).equals(chain.tls().map(EdgeTls::onlyNewest));
    }

    private static String nameOf(Listener.Target.Chain chain) {
        String hosts = chain.serverNames().isEmpty() ? "every host" : String.join(", ", chain.serverNames());
        return hosts + " at port " + chain.port();
    }

    /** Why TLS cannot be made of its files; empty when it can, or has been before. */
    private String unusable(EdgeTls tls) {
        if (usable.contains(tls)) {
            return "";
        }
        try {
            ReferenceCountUtil.release(EdgeContexts.make(tls));
            usable.add(tls);
            return "";
        } catch (UnusableCertificateException | GeneralSecurityException | SSLException e) {
            refused.put(tls, String.valueOf(e.getMessage()));
            return String.valueOf(e.getMessage());
        }
    }

    /** Files could be used: what was refused because of them is asked for again, so that the control plane knows. */
    private synchronized void made(EdgeTls tls) {
        usable.add(tls);
        Subscription watch = subscription;
        if (refused.remove(tls) != null && watch != null && !closed) {
            watch.close();
            subscription = xds.watch(ResourceType.LISTENER, Listener.EDGE, this);
        }
    }

    private synchronized Set<EdgeTls> toFollow(List<Listener.Target.Chain> chains) {
        Set<EdgeTls> all = new HashSet<>(refused.keySet());
        chains.forEach(chain -> chain.tls().ifPresent(all::add));
        usable.retainAll(all);
        return all;
    }

    /** What is wrong with ports and files now; empty when nothing is. */
    String trouble() {
        List<String> all = new ArrayList<>();
        if (!ports.isEmpty()) {
            all.add(ports);
        }
        followed.forEach((chain, files) -> {
            if (!files.trouble().isEmpty()) {
                all.add(nameOf(chain) + ": " + files.trouble());
            }
        });
        return String.join("; ", all);
    }

    /** What is to be served, once it is known or has changed or is to be tried again; null at the end. */
    private @Nullable List<Listener.Target.Chain> next(int failures) throws InterruptedException {
        if (failures > 0) {
            var _ = news.tryAcquire(failures > SOON ? LATER_MILLIS : SOON_MILLIS, TimeUnit.MILLISECONDS);
        } else {
            news.acquire();
        }
        news.drainPermits();
        synchronized (this) {
            return closed ? null : wanted;
        }
    }

    private void run() {
        String told = "";
        int failures = 0;
        try {
            List<Listener.Target.Chain> last = List.of();
            List<Listener.Target.Chain> chains = next(0);
            while (chains != null) {
                String now = String.join("; ", attempt(chains));
                if (!now.isEmpty() && !now.equals(told)) {
                    LOG.log(System.Logger.Level.WARNING, "gateway: " + now);
                }
                told = now;
                ports = now;
                if (now.isEmpty()) {
                    applied.countDown();
                }
                failures = now.isEmpty() ? 0 : chains.equals(last) ? failures + 1 : 1;
                last = chains;
                chains = next(failures);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** What is wrong; whatever it is, it is tried again, and nothing ends the thread but its owner. */
    private List<String> attempt(List<Listener.Target.Chain> chains) throws InterruptedException {
        List<String> troubles = new ArrayList<>();
        try {
            troubles.addAll(apply(chains));
        } catch (RuntimeException e) {
            troubles.add(unexpected(e));
        }
        try {
            // With troubles as well: what no Gateway wants any more must not wait for them.
            onApplied.run();
        } catch (RuntimeException e) {
            troubles.add(unexpected(e));
        }
        return troubles;
    }

    private static String unexpected(RuntimeException e) {
        LOG.log(System.Logger.Level.DEBUG, "gateway", e);
        return "unexpected: " + e;
    }

    boolean awaitApplied(Duration patience) throws InterruptedException {
        return applied.await(patience.toMillis(), TimeUnit.MILLISECONDS);
    }

    private List<String> apply(List<Listener.Target.Chain> chains) throws InterruptedException {
        Set<EdgeTls> before = new HashSet<>();
        followed.keySet().forEach(chain -> chain.tls().ifPresent(before::add));
        Set<EdgeTls> tls = toFollow(chains);
        // What is in force stays followed until nothing refers to it.
        before.addAll(tls);
        contexts.want(before);
        Map<Integer, List<Listener.Target.Chain>> byPort =
                chains.stream().collect(Collectors.groupingBy(Listener.Target.Chain::port));
        unwanted(byPort.keySet()).forEach(this::close);
        Map<Listener.Target.Chain, Followed<SslContext>> files = new HashMap<>();
        List<String> troubles = new ArrayList<>();
        byPort.forEach((port, ofPort) -> {
            EdgePort known = open(port);
            serve(known, ofPort, files);
            for (String address : addresses) {
                if (closed || known.channels.containsKey(address)) {
                    continue;
                }
                try {
                    known.channels.put(address, binder.bind(address, port, known::first));
                } catch (IOException e) {
                    troubles.add(address + " port " + port + ": " + e.getMessage());
                } catch (RuntimeException e) {
                    // The other ports have nothing to do with it.
                    troubles.add(address + " port " + port + ": " + unexpected(e));
                }
            }
        });
        followed = Map.copyOf(files);
        contexts.want(tls);
        return troubles;
    }

    /** What new connections of a port get from now on. */
    private void serve(
            EdgePort port, List<Listener.Target.Chain> chains, Map<Listener.Target.Chain, Followed<SslContext>> files) {
        Map<String, EdgePort.Served> left = new HashMap<>(port.served());
        Map<String, EdgePort.Served> ready = new HashMap<>();
        for (Listener.Target.Chain chain : chains) {
            EdgePort.Served known = left.remove(chain.name());
            OutboundService before = known == null ? null : known.service();
            boolean same = known != null && isForTheSame(known.chain(), chain);
            if (before != null && !(same && isServed(chain))) {
                // Connections that it let in must not come to what others are let in for.
                services.end(before);
            }
            OutboundService service = null;
            if (isServed(chain) && before != null && same) {
                service = before;
                services.update(chain.listener());
            } else if (isServed(chain)) {
                service = services.follow(chain.listener());
            }
            Followed<SslContext> context = chain.tls().map(contexts::of).orElse(null);
            if (context != null) {
                files.put(chain, context);
            }
            ready.put(chain.name(), new EdgePort.Served(chain, service, context));
        }
        port.serve(ready);
        left.values().forEach(this::leave);
    }

    private static boolean isServed(Listener.Target.Chain chain) {
        return !(chain.target() instanceof Listener.Target.Tcp(var clusters)) || !clusters.isEmpty();
    }

    private void leave(EdgePort.Served served) {
        OutboundService service = served.service();
        if (service != null) {
            services.leave(service);
        }
    }

    private void close(EdgePort ended) {
        ended.channels.values().forEach(channel -> channel.close().syncUninterruptibly());
        ended.served().values().forEach(this::leave);
    }

    @Override
    public void close() {
        synchronized (this) {
            closed = true;
            news.release();
        }
        Subscription watch;
        synchronized (this) {
            watch = subscription;
        }
        if (watch != null) {
            watch.close();
        }
        // It may wait for certificates, longer than anybody waits for it here.
        thread.interrupt();
        try {
            thread.join(Duration.ofSeconds(2));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        contexts.close();
    }
}
