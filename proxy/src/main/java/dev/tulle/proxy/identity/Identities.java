package dev.tulle.proxy.identity;

import dev.tulle.common.pki.Certificates;
import dev.tulle.common.pki.Pem;
import dev.tulle.common.pki.SpiffeId;
import dev.tulle.common.pki.TlsIdentity;
import dev.tulle.common.pki.UnusableCertificateException;
import dev.tulle.model.Secret;
import dev.tulle.proxy.transport.Issuers;
import dev.tulle.xds.ResourceType;
import dev.tulle.xds.ResourceWatcher;
import dev.tulle.xds.Subscription;
import dev.tulle.xds.XdsClient;
import java.security.GeneralSecurityException;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import javax.net.ssl.SSLException;
import org.jspecify.annotations.Nullable;

/**
 * The identities of this node's workloads and of its proxy, with their certificates as the agent gives them, and the roots:
 * each is asked for when it is first needed and followed from then on. A certificate that cannot be used leaves the one
 * before it in force. Asked by any thread; changed by those that bring the news.
 */
public final class Identities implements AutoCloseable {
    private static final System.Logger LOG = System.getLogger(Identities.class.getName());

    private final XdsClient agent;
    private final InstantSource clock;
    private final Map<SpiffeId, Followed> identities = new HashMap<>();
    private final List<Runnable> listeners = new CopyOnWriteArrayList<>();
    private final Subscription rootWatch;
    private @Nullable Issuers roots;
    private volatile String trouble = "";
    private boolean closed;

    /**
     * Follows the roots.
     *
     * @param agent gives secrets; not closed with this
     */
    public Identities(XdsClient agent, InstantSource clock) {
        this.agent = agent;
        this.clock = clock;
        this.rootWatch = agent.watch(ResourceType.SECRET, Secret.ROOTS, new Roots());
    }

    /** An identity and those who wait for its first certificate. */
    private final class Followed implements ResourceWatcher<Secret> {
        final SpiffeId identity;
        final List<Runnable> waiting = new ArrayList<>(0);

        @Nullable
        TlsIdentity certificate;

        volatile @Nullable Credentials credentials;

        @Nullable
        Subscription subscription;

        Followed(SpiffeId identity) {
            this.identity = identity;
        }

        @Override
        public void onChanged(Secret value) {
            if (!(value instanceof Secret.IdentityCertificate given)) {
                trouble(identity + ": the agent gives something else than a certificate");
                return;
            }
            TlsIdentity read;
            try {
                String where = "the agent's certificate of " + identity;
                read = Certificates.identity(
                        new Pem(where, given.chain()), new Pem(where, given.key()), clock.instant());
                SpiffeId found = SpiffeId.of(read.certificate());
                if (!found.equals(identity)) {
                    trouble(where + " is for " + found);
                    return;
                }
            } catch (UnusableCertificateException | java.security.cert.CertificateException e) {
                trouble(e.getMessage());
                return;
            }
            List<Runnable> told;
            synchronized (Identities.this) {
                certificate = read;
                told = make(this);
            }
            told.forEach(Runnable::run);
        }

        /** The agent has none any more, as the last workload of this identity has gone: nothing is said under it. */
        @Override
        public void onAbsent() {
            List<Runnable> told;
            synchronized (Identities.this) {
                certificate = null;
                told = make(this);
            }
            told.forEach(Runnable::run);
        }

        @Override
        public void onTrouble(String reason) {
            // The last certificate stays in force as long as it is valid.
        }
    }

    private final class Roots implements ResourceWatcher<Secret> {
        @Override
        public void onChanged(Secret value) {
            if (!(value instanceof Secret.TrustedRoots given)) {
                trouble("the agent gives something else than roots");
                return;
            }
            List<Runnable> told = new ArrayList<>();
            try {
                Issuers read = Issuers.of(
                        Certificates.authorities(new Pem("the mesh's roots", given.certificates()), clock.instant()));
                synchronized (Identities.this) {
                    roots = read;
                    identities.values().forEach(one -> told.addAll(make(one)));
                }
            } catch (UnusableCertificateException | GeneralSecurityException e) {
                trouble(e.getMessage());
            }
            told.forEach(Runnable::run);
        }

        @Override
        public void onAbsent() {
            // Whom nobody trusts any more would have to be said: what was trusted stays so.
        }

        @Override
        public void onTrouble(String reason) {
            // What was trusted stays so.
        }
    }

    /** Makes what follows from a certificate and the roots; who is to be told, in any case outside of the lock. */
    private List<Runnable> make(Followed one) {
        TlsIdentity certificate = one.certificate;
        Issuers trusted = roots;
        Credentials before = one.credentials;
        if (closed || (certificate != null && trusted == null)) {
            return List.of();
        }
        try {
            one.credentials = certificate == null || trusted == null
                    ? null
                    : Credentials.of(one.identity, certificate, trusted, clock);
        } catch (SSLException e) {
            trouble("the certificate of " + one.identity + " cannot be used: " + e.getMessage());
            return List.of();
        }
        if (before != null) {
            before.release();
        }
        List<Runnable> told = new ArrayList<>(listeners);
        if (one.credentials != null) {
            told.addAll(one.waiting);
            one.waiting.clear();
        }
        return told;
    }

    private void trouble(@Nullable String why) {
        trouble = why == null ? "" : why;
        LOG.log(System.Logger.Level.WARNING, trouble + "; what was there before stays in force");
    }

    /** What is wrong with what the agent gave last; empty for nothing. */
    public String trouble() {
        return trouble;
    }

    private Followed follow(SpiffeId identity) {
        synchronized (this) {
            Followed known = identities.get(identity);
            if (known != null || closed) {
                return known == null ? new Followed(identity) : known;
            }
            Followed fresh = new Followed(identity);
            identities.put(identity, fresh);
            fresh.subscription = agent.watch(ResourceType.SECRET, identity.toString(), fresh);
            return fresh;
        }
    }

    /** What is in force for an identity; null while there is nothing. */
    public @Nullable Credentials of(SpiffeId identity) {
        return follow(identity).credentials;
    }

    /** The same, held: to be {@link Credentials#release released}. */
    public @Nullable Credentials hold(SpiffeId identity) {
        while (true) {
            Credentials now = of(identity);
            if (now == null || now.hold()) {
                return now;
            }
            Thread.onSpinWait();
        }
    }

    /** Calls back once, on any thread, when there is something. */
    public void whenKnown(SpiffeId identity, Runnable then) {
        Followed followed = follow(identity);
        synchronized (this) {
            if (followed.credentials == null) {
                followed.waiting.add(then);
                return;
            }
        }
        then.run();
    }

    /** Told, on any thread, of every change. */
    public void onChange(Runnable listener) {
        listeners.add(listener);
    }

    @Override
    public void close() {
        List<Followed> all;
        synchronized (this) {
            closed = true;
            all = List.copyOf(identities.values());
            identities.clear();
        }
        rootWatch.close();
        for (Followed one : all) {
            Subscription watch = one.subscription;
            if (watch != null) {
                watch.close();
            }
            Credentials last = one.credentials;
            one.credentials = null;
            if (last != null) {
                last.release();
            }
        }
    }
}
