package dev.tulle.identity.authority;

import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import dev.tulle.common.PrivateFiles;
import dev.tulle.common.StateFile;
import dev.tulle.common.pki.UnusableCertificateException;
import dev.tulle.identity.rotation.RotationState;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Instant;
import java.util.NavigableSet;
import java.util.Optional;
import java.util.TreeSet;

/**
 * The folder of an authority that makes its own roots: {@code root-1}, {@code root-2} and so on, each an
 * {@link AuthorityFolder}, and {@code authority.json} that says which of them sign and are trusted. A root is on the disk
 * before the state names it, and the state names it no more before it is removed: after a crash anywhere the state is right
 * and at most a root too many is there, which goes. One thread at a time.
 */
final class AuthorityStore {
    private static final System.Logger LOG = System.getLogger(AuthorityStore.class.getName());
    private static final String PREFIX = "root-";

    private final Path folder;
    private final Passphrase passphrase;
    private final String trustDomain;
    private final StateFile file;

    AuthorityStore(Path folder, Passphrase passphrase, String trustDomain) {
        this.folder = folder;
        this.passphrase = passphrase;
        this.trustDomain = trustDomain;
        this.file = new StateFile(folder.resolve("authority.json"), "authority", 1);
    }

    /**
     * Makes the folder, for this user alone.
     *
     * @throws IOException when it cannot be made, or others may enter it
     */
    static void prepare(Path folder) throws IOException {
        if (Files.notExists(folder)) {
            Path above = folder.toAbsolutePath().getParent();
            if (above != null) {
                Files.createDirectories(above);
            }
            Files.createDirectory(
                    folder, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
        }
        PrivateFiles.checkFolder(folder);
    }

    /**
     * The state; empty when there is none and no root either.
     *
     * @throws IOException when the folder is for another trust domain, or there are roots and nothing says which are in use
     */
    Optional<RotationState> load(Instant now) throws IOException {
        StateFile.Loaded loaded = file.load();
        NavigableSet<Integer> roots = roots();
        if (loaded.text().isEmpty()) {
            return roots.isEmpty() ? Optional.empty() : Optional.of(recovered(roots, now));
        }
        RotationState state;
        try {
            JsonObject text = JsonParser.parseString(loaded.text().get()).getAsJsonObject();
            String domain = text.get("trustDomain").getAsString();
            if (!domain.equals(trustDomain)) {
                throw new IOException(folder + " is the authority of trust domain " + domain + ", found " + trustDomain
                        + ": expected the same, or another state directory");
            }
            state = new RotationState(
                    RotationState.Phase.valueOf(text.get("phase").getAsString()),
                    text.get("current").getAsInt(),
                    text.get("other").getAsInt(),
                    Instant.ofEpochSecond(text.get("since").getAsLong()));
        } catch (JsonParseException | IllegalStateException | IllegalArgumentException | NullPointerException e) {
            throw new IOException(file.path() + " is whole and no state of an authority: " + e, e);
        }
        for (int root : roots) {
            if (!state.trusted().contains(root)) {
                remove(root);
            }
        }
        return Optional.of(state);
    }

    /** Both of two roots are trusted again and the older one signs: that holds wherever the rotation stood. */
    private RotationState recovered(NavigableSet<Integer> roots, Instant now) {
        int newest = roots.last();
        Integer before = roots.lower(newest);
        LOG.log(
                System.Logger.Level.ERROR,
                "{0} is not there or not whole: the roots found are {1}",
                file.path(),
                roots);
        return before == null
                ? RotationState.steady(newest, now)
                : new RotationState(RotationState.Phase.ANNOUNCING, before, newest, now);
    }

    /**
     * Keeps the state; it is on the disk afterwards.
     *
     * @throws IOException when it cannot be written: the old one is in force
     */
    void save(RotationState state) throws IOException {
        JsonObject text = new JsonObject();
        text.addProperty("trustDomain", trustDomain);
        text.addProperty("phase", state.phase().name());
        text.addProperty("current", state.current());
        text.addProperty("other", state.other());
        text.addProperty("since", state.since().getEpochSecond());
        file.save(text.toString());
    }

    /** Reads a root with what stands below it. */
    SigningAuthority root(int number, Instant now) throws UnusableCertificateException, IOException {
        return AuthorityFolder.load(folder.resolve(PREFIX + number), passphrase, now);
    }

    /**
     * Keeps a new root.
     *
     * @throws IOException when it cannot be written
     */
    void add(int number, SigningAuthority root) throws IOException {
        Path place = folder.resolve(PREFIX + number);
        PrivateFiles.removeTree(place);
        AuthorityFolder.save(place, root, passphrase);
    }

    /** Removes a root that the state does not name; one that cannot be removed is removed at the next start. */
    void remove(int number) {
        try {
            PrivateFiles.removeTree(folder.resolve(PREFIX + number));
        } catch (IOException e) {
            LOG.log(System.Logger.Level.WARNING, "the files of a root that is not in use stay: " + e);
        }
    }

    private NavigableSet<Integer> roots() throws IOException {
        NavigableSet<Integer> numbers = new TreeSet<>();
        try (DirectoryStream<Path> entries = Files.newDirectoryStream(folder, PREFIX + "*")) {
            for (Path entry : entries) {
                String number = entry.getFileName().toString().substring(PREFIX.length());
                if (number.matches("[1-9][0-9]{0,8}")) {
                    numbers.add(Integer.valueOf(number));
                } else {
                    // What was being written when the process ended.
                    PrivateFiles.removeTree(entry);
                }
            }
        }
        return numbers;
    }
}
