package dev.tulle.agent.identity;

import dev.tulle.common.pki.SpiffeId;
import dev.tulle.identity.request.CsrMaker;
import dev.tulle.xds.CertificateClient;
import dev.tulle.xds.ControlAddress;
import java.io.IOException;
import java.security.KeyPair;

/** The control plane's authority, asked over gRPC. Thread-safe. */
public final class RemoteAuthority implements CertificateSource {
    private final CertificateClient client;

    /** For a control plane. */
    public RemoteAuthority(ControlAddress control) {
        this.client = new CertificateClient(control);
    }

    @Override
    public Issued request(SpiffeId identity, KeyPair keys) throws IOException {
        CertificateClient.Signed signed = client.sign(identity, CsrMaker.pem(keys));
        return new Issued(signed.chain(), signed.roots());
    }
}
