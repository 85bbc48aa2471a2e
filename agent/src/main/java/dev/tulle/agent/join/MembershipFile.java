package dev.tulle.agent.join;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import dev.tulle.common.PrivateFiles;
import dev.tulle.common.StateFile;
import dev.tulle.common.pki.Certificates;
import dev.tulle.common.pki.Pem;
import dev.tulle.common.pki.UnusableCertificateException;
import java.io.IOException;
import java.nio.file.Path;
import java.security.PrivateKey;
import java.security.cert.CertificateEncodingException;
import java.security.cert.X509Certificate;
import java.util.Base64;
import java.util.List;
import java.util.Optional;

/**
 * The node's membership on the disk, with its key: for root alone, checksummed, the version before it kept. One thread at
 * a time.
 */
public final class MembershipFile {
    private static final String NAME = "membership.json";
    private static final int VERSION = 1;

    private final Path directory;
    private final StateFile file;

    /** In a state directory, which need not exist. */
    public MembershipFile(Path stateDirectory) {
        this.directory = stateDirectory;
        this.file = new StateFile(stateDirectory.resolve(NAME), "membership", VERSION);
    }

    /**
     * The membership; empty when the node has joined none.
     *
     * @throws IOException when there is one and it cannot be used
     */
    public Optional<Membership> load() throws IOException {
        StateFile.Loaded loaded = file.load();
        if (loaded.text().isEmpty()) {
            if (!loaded.trouble().isEmpty()) {
                throw new IOException(loaded.trouble() + "; this node has to join again, see tulle up --join");
            }
            return Optional.empty();
        }
        try {
            JsonObject kept = JsonParser.parseString(loaded.text().get()).getAsJsonObject();
            Pem chain = new Pem(file.path() + ", chain", text(kept, "chain"));
            Pem key = new Pem(file.path() + ", key", text(kept, "key"));
            Pem roots = new Pem(file.path() + ", roots", text(kept, "roots"));
            return Optional.of(new Membership(
                    text(kept, "node"),
                    text(kept, "host"),
                    kept.get("port").getAsInt(),
                    Certificates.identity(chain, key),
                    Certificates.authorities(roots)));
        } catch (JsonParseException | IllegalStateException | NullPointerException e) {
            throw new IOException(file.path() + " is whole and not what it should be: " + e.getMessage(), e);
        } catch (UnusableCertificateException e) {
            throw new IOException(String.valueOf(e.getMessage()), e);
        }
    }

    private static String text(JsonObject object, String name) {
        JsonElement value = object.get(name);
        if (value == null || !value.isJsonPrimitive()) {
            throw new IllegalStateException("no " + name);
        }
        return value.getAsString();
    }

    /**
     * Keeps a membership; when this returns it is on the disk.
     *
     * @throws IOException when it cannot be written
     */
    public void save(Membership membership) throws IOException {
        PrivateFiles.directory(directory, List.of(NAME, "leases.json"));
        JsonObject kept = new JsonObject();
        kept.addProperty("node", membership.node());
        kept.addProperty("host", membership.host());
        kept.addProperty("port", membership.port());
        kept.addProperty("chain", pem(membership.identity().chain()));
        kept.addProperty("key", pem(membership.identity().key()));
        kept.addProperty("roots", pem(membership.roots()));
        file.save(kept.toString());
    }

    private static String pem(PrivateKey key) {
        return block("PRIVATE KEY", key.getEncoded());
    }

    private static String pem(List<X509Certificate> certificates) throws IOException {
        StringBuilder out = new StringBuilder();
        try {
            for (X509Certificate certificate : certificates) {
                out.append(block("CERTIFICATE", certificate.getEncoded()));
            }
        } catch (CertificateEncodingException e) {
            throw new IOException("a certificate cannot be written", e);
        }
        return out.toString();
    }

    private static String block(String label, byte[] content) {
        return "-----BEGIN " + label + "-----\n"
                + Base64.getMimeEncoder(64, new byte[] {'\n'}).encodeToString(content) + "\n-----END " + label
                + "-----\n";
    }
}
