package dev.tulle.proxy.accept;

import dev.tulle.model.EdgeTls;
import dev.tulle.proxy.transport.Certificates;
import dev.tulle.proxy.transport.FileWatch;
import dev.tulle.proxy.transport.Followed;
import dev.tulle.proxy.transport.Pem;
import dev.tulle.proxy.transport.TlsContexts;
import dev.tulle.proxy.transport.TlsIdentity;
import dev.tulle.proxy.transport.TlsTrust;
import dev.tulle.proxy.transport.UnusableCertificateException;
import io.netty.handler.ssl.SslContext;
import io.netty.util.ReferenceCountUtil;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;
import javax.net.ssl.SSLException;

/** What connections of TLS at the edge are taken with, made anew when files change. Used by one thread. */
final class EdgeContexts implements AutoCloseable {
    private static final long PATIENCE_SECONDS = 5;

    /** What the edge speaks, best first. */
    private static final List<String> PROTOCOLS = List.of("h2", "http/1.1");

    private final FileWatch watch = new FileWatch(FileWatch.EVERY);
    private final Map<EdgeTls, Followed<SslContext>> all = new HashMap<>();
    private final Consumer<EdgeTls> made;

    /** @param made told, on a thread of its own, whenever what was made of the files of one is in force */
    EdgeContexts(Consumer<EdgeTls> made) {
        this.made = made;
    }

    /** Makes one of the files as they are now; blocks. */
    static SslContext make(EdgeTls tls) throws UnusableCertificateException, SSLException {
        Instant now = Instant.now();
        TlsIdentity identity =
                Certificates.identity(Pem.read(Path.of(tls.certificate())), Pem.read(Path.of(tls.key())), now);
        TlsTrust clients = null;
        if (!tls.authorities().isEmpty()) {
            Pem pem = Pem.read(Path.of(tls.authorities()));
            clients = new TlsTrust.Issued(Certificates.authorities(pem, now), List.of(), pem.where());
        }
        return tls.onlyNewest()
                ? TlsContexts.newestServer(identity, clients, PROTOCOLS)
                : TlsContexts.server(identity, clients, PROTOCOLS);
    }

    /** Follows these and no others; waits, for a while, until each has been looked at. */
    void want(Collection<EdgeTls> wanted) throws InterruptedException {
        for (EdgeTls old : List.copyOf(all.keySet())) {
            if (!wanted.contains(old)) {
                Followed<SslContext> over = all.remove(old);
                if (over != null) {
                    watch.forget(over);
                }
            }
        }
        for (EdgeTls tls : wanted) {
            all.computeIfAbsent(tls, this::follow);
        }
        for (Followed<SslContext> one : all.values()) {
            try {
                one.first().get(PATIENCE_SECONDS, TimeUnit.SECONDS);
            } catch (ExecutionException | TimeoutException e) {
                System.getLogger(EdgeContexts.class.getName())
                        .log(System.Logger.Level.WARNING, "certificates are not read yet: " + e);
            }
        }
    }

    private Followed<SslContext> follow(EdgeTls tls) {
        List<Path> files = new ArrayList<>(List.of(Path.of(tls.certificate()), Path.of(tls.key())));
        if (!tls.authorities().isEmpty()) {
            files.add(Path.of(tls.authorities()));
        }
        return watch.follow(files, () -> make(tls), () -> made.accept(tls), ReferenceCountUtil::release);
    }

    /** One that is followed. */
    Followed<SslContext> of(EdgeTls tls) {
        Followed<SslContext> found = all.get(tls);
        if (found == null) {
            throw new IllegalStateException("the files of " + tls.certificate() + " are not followed");
        }
        return found;
    }

    @Override
    public void close() {
        watch.close();
    }
}
