package dev.tulle.cli.role;

import dev.tulle.cli.client.CommandFailure;
import dev.tulle.identity.authority.AuthorityOptions;
import java.nio.file.Path;
import java.time.Duration;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** How the control plane's certificate authority runs. A mixin. */
public final class AuthorityFlags {
    @Option(
            names = "--ca-dir",
            paramLabel = "DIR",
            description = "Sign with the authority in this folder (ca-cert.pem, ca-key.pem, cert-chain.pem,"
                    + " root-cert.pem, as Istio's cacerts). Default: one of its own in STATE/authority.")
    private @Nullable Path folder;

    @Option(
            names = "--ca-passphrase-file",
            paramLabel = "FILE",
            description = "The first line of this file encrypts the authority's own keys, or those of --ca-dir are"
                    + " encrypted with it. Default: keys are not encrypted.")
    private @Nullable Path passphrase;

    @Option(
            names = "--certificate-life",
            paramLabel = "SECONDS",
            description =
                    "How long certificates of workloads and nodes hold: 60 to 7776000. Default: ${DEFAULT-VALUE}.",
            defaultValue = "86400")
    private long life = 86_400;

    /** Makes the options. */
    public AuthorityFlags() {}

    /**
     * The authority.
     *
     * @param state where its own keys are
     * @throws CommandFailure with status 2 when a value is none
     */
    AuthorityOptions options(Path state) {
        AuthorityOptions options = AuthorityOptions.of(state.resolve("authority"));
        try {
            options = options.withLives(Duration.ofSeconds(life), options.rootLife());
        } catch (IllegalArgumentException e) {
            throw new CommandFailure(
                    CommandFailure.USAGE,
                    "--certificate-life: found " + life + ", expected "
                            + AuthorityOptions.SHORTEST_LEAF.toSeconds() + " to "
                            + AuthorityOptions.LONGEST_LEAF.toSeconds());
        }
        if (folder != null) {
            options = options.withPluggedIn(folder.toAbsolutePath());
        }
        return passphrase == null ? options : options.withPassphraseFile(passphrase.toAbsolutePath());
    }
}
