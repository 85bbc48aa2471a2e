package dev.tulle.proxy.transport;

import dev.tulle.common.pki.Certificates;
import dev.tulle.common.pki.Pem;
import dev.tulle.common.pki.TlsIdentity;
import dev.tulle.model.UpstreamTls;
import io.netty.buffer.ByteBufAllocator;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslHandler;
import io.netty.util.IllegalReferenceCountException;
import io.netty.util.ReferenceCountUtil;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Clock;
import java.util.ArrayList;
import java.util.List;
import javax.net.ssl.SNIHostName;
import javax.net.ssl.SSLParameters;
import org.jspecify.annotations.Nullable;

/**
 * TLS to endpoints by one setting, with its files as they are now. Each setting has contexts of its own, so that no session
 * of one is resumed by another. Thread-safe.
 */
public final class ClientTransport {
    /** What a connection is going to speak, which it offers by ALPN. */
    public enum Spoken {
        /** HTTP/1.1. */
        HTTP1,
        /** HTTP/2. */
        HTTP2,
        /** Nothing that ALPN has a name for. */
        BYTES
    }

    /** One for each thing that can be offered; made together, from one reading of the files. */
    private record Contexts(SslContext http1, SslContext http2, SslContext bytes) {
        SslContext of(Spoken spoken) {
            return switch (spoken) {
                case HTTP1 -> http1;
                case HTTP2 -> http2;
                case BYTES -> bytes;
            };
        }

        void release() {
            ReferenceCountUtil.release(http1);
            ReferenceCountUtil.release(http2);
            ReferenceCountUtil.release(bytes);
        }
    }

    private final UpstreamTls settings;
    private final FileWatch watch;
    private final Followed<Contexts> contexts;

    ClientTransport(UpstreamTls settings, FileWatch watch, Clock clock) {
        this.settings = settings;
        this.watch = watch;
        List<Path> files = new ArrayList<>();
        for (String file : List.of(settings.certificate(), settings.key(), settings.authorities())) {
            if (!file.isEmpty()) {
                files.add(Path.of(file));
            }
        }
        this.contexts = watch.follow(files, () -> make(settings, clock), Contexts::release);
    }

    private static Contexts make(UpstreamTls settings, Clock clock) throws Exception {
        TlsIdentity identity = settings.certificate().isEmpty()
                ? null
                : Certificates.identity(
                        Pem.read(Path.of(settings.certificate())), Pem.read(Path.of(settings.key())), clock.instant());
        TlsTrust trust = settings.authorities().isEmpty()
                ? new TlsTrust.Anyone()
                : new TlsTrust.Issued(
                        Issuers.of(Path.of(settings.authorities()), clock.instant()),
                        settings.names(),
                        settings.authorities());
        return new Contexts(
                TlsContexts.client(identity, trust, List.of("http/1.1")),
                TlsContexts.client(identity, trust, List.of("h2")),
                TlsContexts.client(identity, trust, List.of()));
    }

    /** Calls back, on any thread, when the files have been looked at: at once if they have been. */
    public void whenRead(Runnable then) {
        var _ = contexts.first().thenRun(then);
    }

    /** True when the files have been looked at. */
    public boolean isRead() {
        return contexts.first().isDone();
    }

    /** Why there is no {@link #handler}, for people. */
    public String trouble() {
        String known = contexts.trouble();
        return known.isEmpty() ? "the certificates are not read any more" : known;
    }

    /** True when there is a {@link #handler}. */
    public boolean isUsable() {
        return contexts.current() != null;
    }

    /** TLS for a new connection; null while the files cannot be used. */
    public @Nullable SslHandler handler(ByteBufAllocator allocator, Spoken spoken) {
        Contexts now = contexts.current();
        while (now != null) {
            try {
                // Sessions are kept by this name.
                return named(now.of(spoken).newHandler(allocator, settings.serverName(), 1));
            } catch (IllegalReferenceCountException e) {
                // Replaced in this moment.
                now = contexts.current();
            }
        }
        return null;
    }

    /** Asks for the name: left to itself, the library asks for none that has no dot. */
    private SslHandler named(SslHandler handler) {
        SSLParameters parameters = handler.engine().getSSLParameters();
        parameters.setServerNames(
                settings.serverName().isEmpty()
                        ? List.of()
                        : List.of(new SNIHostName(settings.serverName().getBytes(StandardCharsets.US_ASCII))));
        handler.engine().setSSLParameters(parameters);
        return handler;
    }

    /** True while the files are not what they should be. */
    boolean isTroubled() {
        return !contexts.trouble().isEmpty();
    }

    void end() {
        watch.forget(contexts);
    }
}
