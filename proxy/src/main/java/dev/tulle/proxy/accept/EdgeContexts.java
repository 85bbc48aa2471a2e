package dev.tulle.proxy.accept;

import dev.tulle.common.pki.Certificates;
import dev.tulle.common.pki.Pem;
import dev.tulle.common.pki.TlsIdentity;
import dev.tulle.common.pki.UnusableCertificateException;
import dev.tulle.model.EdgeTls;
import dev.tulle.proxy.transport.FileWatch;
import dev.tulle.proxy.transport.Followed;
import dev.tulle.proxy.transport.Issuers;
import dev.tulle.proxy.transport.TlsContexts;
import dev.tulle.proxy.transport.TlsTrust;
import io.netty.handler.ssl.SslContext;
import io.netty.util.ReferenceCountUtil;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
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

    private final FileWatch watch = new FileWatch(FileWatch.EVERY);
    private final Map<EdgeTls, Followed<SslContext>> all = new HashMap<>();
    private final Consumer<EdgeTls> made;

    /** @param made told, on a thread of its own, whenever what was made of the files of one is in force */
    EdgeContexts(Consumer<EdgeTls> made) {
        this.made = made;
    }

    /** Makes one of the files as they are now; blocks. */
    static SslContext make(EdgeTls tls) throws UnusableCertificateException, GeneralSecurityException, SSLException {
        Instant now = Instant.now();
        TlsIdentity identity =
                Certificates.identity(Pem.read(Path.of(tls.certificate())), Pem.read(Path.of(tls.key())), now);
        TlsTrust clients = null;
        if (!tls.authorities().isEmpty()) {
            clients = new TlsTrust.Issued(Issuers.of(Path.of(tls.authorities()), now), List.of(), tls.authorities());
        }
        return tls.onlyNewest()
                ? TlsContexts.newestServer(identity, clients, tls.offered())
                : TlsContexts.server(identity, clients, tls.offered());
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
