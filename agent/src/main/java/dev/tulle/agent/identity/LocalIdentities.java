package dev.tulle.agent.identity;

import dev.tulle.agent.enrol.Lease;
import dev.tulle.agent.host.Cgroups;
import dev.tulle.common.LocalRefusals;
import dev.tulle.common.SocketAccess;
import dev.tulle.common.pki.SpiffeId;
import dev.tulle.common.pki.TlsIdentity;
import dev.tulle.model.Caller;
import dev.tulle.model.Secret;
import dev.tulle.xds.SecretServer;
import dev.tulle.xds.WorkloadApiServer;
import dev.tulle.xds.WorkloadSecrets;
import dev.tulle.xds.XdsClientState;
import java.io.IOException;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.security.cert.X509Certificate;
import java.time.Clock;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * The identities of this node and the two sockets at which they are to be had: {@code sds.sock} for its proxy and
 * {@code workload.sock} for its workloads. Thread-safe.
 */
public final class LocalIdentities implements AutoCloseable {
    private final SecretServer secrets;
    private final WorkloadApiServer workloads;
    private final Identities identities;
    private final SpiffeId proxies;
    private volatile WorkloadGroups groups = WorkloadGroups.NONE;
    private volatile Identities.Snapshot current = Identities.Snapshot.EMPTY;

    private LocalIdentities(
            CertificateSource source,
            SpiffeId proxies,
            Cgroups cgroups,
            Path sdsSocket,
            SocketAccess access,
            Path workloadSocket,
            LocalRefusals refusals,
            Clock clock)
            throws IOException {
        this.proxies = proxies;
        SecureRandom random = new SecureRandom();
        secrets = SecretServer.start(sdsSocket, access, refusals);
        try {
            workloads = WorkloadApiServer.start(
                    workloadSocket, new ProcessAttestor(cgroups, () -> groups), refusals, random, Caller.TRUST_DOMAIN);
        } catch (IOException | RuntimeException e) {
            secrets.close();
            throw e;
        }
        told(Identities.Snapshot.EMPTY);
        identities = Identities.start(source, clock, random, this::told);
        identities.living(Set.of(proxies));
    }

    /**
     * Opens both sockets.
     *
     * @param source who signs
     * @param proxies what the node's proxies are themselves
     * @param access who may have all keys
     * @param refusals told of strangers, and of what is too much
     * @throws IOException when a socket cannot be bound, or another live process serves it
     */
    public static LocalIdentities start(
            CertificateSource source,
            SpiffeId proxies,
            Cgroups cgroups,
            Path sdsSocket,
            SocketAccess access,
            Path workloadSocket,
            LocalRefusals refusals)
            throws IOException {
        return start(source, proxies, cgroups, sdsSocket, access, workloadSocket, refusals, Clock.systemUTC());
    }

    static LocalIdentities start(
            CertificateSource source,
            SpiffeId proxies,
            Cgroups cgroups,
            Path sdsSocket,
            SocketAccess access,
            Path workloadSocket,
            LocalRefusals refusals,
            Clock clock)
            throws IOException {
        return new LocalIdentities(source, proxies, cgroups, sdsSocket, access, workloadSocket, refusals, clock);
    }

    /** Says which leases there are now. */
    public void leases(List<Lease> leases) {
        WorkloadGroups now = WorkloadGroups.of(leases);
        if (!now.equals(groups)) {
            groups = now;
            Set<SpiffeId> all = new HashSet<>(now.identities());
            all.add(proxies);
            identities.living(all);
            workloads.lookAgain();
        }
    }

    /** The certificate of the node's proxies; empty while there is none. */
    public Optional<TlsIdentity> ofProxies() {
        return Optional.ofNullable(current.certificates().get(proxies));
    }

    /** From now on these are trusted, whatever comes with certificates: the control plane has announced them. */
    public void trust(List<X509Certificate> roots) {
        identities.trust(roots);
    }

    /**
     * The roots that every proxy of this node has acknowledged, and that workloads were sent; empty while one of the proxies
     * that are connected has not answered.
     */
    public List<X509Certificate> rootsInForce() {
        // Read first: what is current was sent before the proxies are looked at.
        List<X509Certificate> roots = current.roots();
        return secrets.clients().stream().allMatch(XdsClientState::synced) ? roots : List.of();
    }

    private void told(Identities.Snapshot snapshot) {
        Set<String> awaited =
                snapshot.awaited().stream().map(SpiffeId::toString).collect(Collectors.toSet());
        if (snapshot.roots().isEmpty()) {
            // They come with the first certificate.
            awaited.add(Secret.ROOTS);
        }
        secrets.update(SecretTexts.of(snapshot), awaited);
        workloads.update(new WorkloadSecrets(
                snapshot.certificates(), snapshot.troubles(), snapshot.roots(), Caller.TRUST_DOMAIN));
        current = snapshot;
    }

    /** The proxies that are connected, with what they answered. */
    List<XdsClientState> clients() {
        return secrets.clients();
    }

    /** The identities of this node, by name. */
    public List<Identities.Report> reports() {
        return identities.reports();
    }

    @Override
    public void close() {
        identities.close();
        workloads.close();
        secrets.close();
    }
}
