package dev.tulle.xds;

import dev.tulle.common.pki.TlsIdentity;
import java.net.Socket;
import java.security.Principal;
import java.security.PrivateKey;
import java.security.cert.X509Certificate;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.X509ExtendedKeyManager;
import org.jspecify.annotations.Nullable;

/** Shows the certificate that is in force when a handshake begins. Thread-safe. */
final class CurrentKey extends X509ExtendedKeyManager {
    private final NodeTls tls;

    CurrentKey(NodeTls tls) {
        this.tls = tls;
    }

    /** An alias names the certificate, so that chain and key of one handshake belong together. */
    private String alias() {
        return tls.identity().certificate().getSerialNumber().toString(16);
    }

    private @Nullable TlsIdentity identity(String alias) {
        TlsIdentity now = tls.identity();
        return now.certificate().getSerialNumber().toString(16).equals(alias) ? now : null;
    }

    @Override
    public String[] getClientAliases(String keyType, Principal @Nullable [] issuers) {
        return new String[] {alias()};
    }

    @Override
    public String chooseClientAlias(String[] keyTypes, Principal @Nullable [] issuers, @Nullable Socket socket) {
        return alias();
    }

    @Override
    public String[] getServerAliases(String keyType, Principal @Nullable [] issuers) {
        return new String[] {alias()};
    }

    @Override
    public String chooseServerAlias(String keyType, Principal @Nullable [] issuers, @Nullable Socket socket) {
        return alias();
    }

    @Override
    public String chooseEngineClientAlias(
            String[] keyTypes, Principal @Nullable [] issuers, @Nullable SSLEngine engine) {
        return alias();
    }

    @Override
    public @Nullable String chooseEngineServerAlias(
            String keyType, Principal @Nullable [] issuers, @Nullable SSLEngine engine) {
        String algorithm = tls.identity().certificate().getPublicKey().getAlgorithm();
        return keyType.equals(algorithm) ? alias() : null;
    }

    @Override
    public X509Certificate @Nullable [] getCertificateChain(String alias) {
        TlsIdentity of = identity(alias);
        return of == null ? null : of.chain().toArray(new X509Certificate[0]);
    }

    @Override
    public @Nullable PrivateKey getPrivateKey(String alias) {
        TlsIdentity of = identity(alias);
        return of == null ? null : of.key();
    }
}
