package dev.tulle.agent;

import dev.tulle.agent.identity.CertificateSource;
import dev.tulle.xds.RegistrationClient;
import dev.tulle.xds.RegistrationOptions;
import dev.tulle.xds.XdsClient;

/** The agent's connections to the control plane. */
interface ControlLinks {
    /** Connects for configuration. */
    XdsClient xds();

    /** Connects to register this node and its workloads. */
    RegistrationClient registration(RegistrationOptions options, RegistrationClient.Listener listener);

    /** Who signs the certificates of this node's identities. */
    CertificateSource certificates();
}
