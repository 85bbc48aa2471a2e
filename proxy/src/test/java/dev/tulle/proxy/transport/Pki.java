package dev.tulle.proxy.transport;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Certificates that openssl makes in a folder: an authority {@code NAME.pem} and what it issues, with keys {@code NAME.key}. */
public final class Pki {
    private final Path directory;

    /** In an empty folder. */
    public Pki(Path directory) {
        this.directory = directory;
    }

    /** The certificates of a name. */
    public Path certificate(String name) {
        return directory.resolve(name + ".pem");
    }

    /** The key of a name. */
    public Path key(String name) {
        return directory.resolve(name + ".key");
    }

    /** An authority of its own. */
    public Pki authority(String name) {
        run(
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
                "-nodes",
                "-days",
                "30",
                "-subj",
                "/CN=" + name,
                "-keyout",
                key(name).toString(),
                "-out",
                certificate(name).toString(),
                "-addext",
                "keyUsage=critical,keyCertSign,cRLSign");
        return this;
    }

    /** An authority below another one. */
    public Pki intermediate(String name, String by) {
        return issue(name, by, List.of("basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign"));
    }

    /**
     * A certificate for a month.
     *
     * @param names as openssl writes them: {@code DNS:example.com,IP:127.0.0.1}
     */
    public Pki issue(String name, String by, String names) {
        return issue(name, by, List.of("subjectAltName=" + names));
    }

    /** The certificate of an identity of the mesh, as the X.509-SVID standard has it. */
    public Pki identity(String name, String by, String uri) {
        return issue(
                name,
                by,
                List.of(
                        "basicConstraints=critical,CA:FALSE",
                        "keyUsage=critical,digitalSignature",
                        "extendedKeyUsage=serverAuth,clientAuth",
                        "subjectAltName=URI:" + uri));
    }

    private Pki issue(String name, String by, List<String> extensions) {
        try {
            Path request = directory.resolve(name + ".csr");
            Path with = Files.write(directory.resolve(name + ".ext"), extensions);
            run(
                    "req",
                    "-new",
                    "-newkey",
                    "ec",
                    "-pkeyopt",
                    "ec_paramgen_curve:P-256",
                    "-nodes",
                    "-subj",
                    "/CN=" + name,
                    "-keyout",
                    key(name).toString(),
                    "-out",
                    request.toString());
            run(
                    "x509",
                    "-req",
                    "-days",
                    "30",
                    "-in",
                    request.toString(),
                    "-CA",
                    certificate(by).toString(),
                    "-CAkey",
                    key(by).toString(),
                    "-set_serial",
                    Long.toString(System.nanoTime() | 1),
                    "-extfile",
                    with.toString(),
                    "-out",
                    certificate(name).toString());
            return this;
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }

    /** Runs openssl; throws what it says when it fails. */
    public String run(String... arguments) {
        List<String> command = new ArrayList<>(List.of("openssl"));
        command.addAll(Arrays.asList(arguments));
        try {
            Process process = new ProcessBuilder(command)
                    .directory(directory.toFile())
                    .redirectErrorStream(true)
                    .start();
            String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            if (process.waitFor() != 0) {
                throw new AssertionError(String.join(" ", command) + ": " + said);
            }
            return said;
        } catch (IOException e) {
            throw new AssertionError("openssl is needed by this test (scripts/lib/setup.sh installs it): " + e, e);
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }
}
