package dev.tulle.identity.authority;

import dev.tulle.common.PrivateFiles;
import dev.tulle.common.pki.Certificates;
import dev.tulle.common.pki.Pem;
import dev.tulle.common.pki.TlsIdentity;
import dev.tulle.common.pki.UnusableCertificateException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.PrivateKey;
import java.security.cert.X509Certificate;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * An authority as a folder of files, in the layout of Istio's {@code cacerts}: {@code ca-cert.pem} and {@code ca-key.pem}
 * of the issuer, {@code cert-chain.pem} from it upwards, {@code root-cert.pem} with the root and others to be trusted. An
 * authority that Tulle made has its root's key in {@code root-key.pem} as well, and in {@code cross-cert.pem} its root signed by the one before. Blocks.
 */
final class AuthorityFolder {
    private static final String CERTIFICATE = "ca-cert.pem";
    private static final String KEY = "ca-key.pem";
    private static final String CHAIN = "cert-chain.pem";
    private static final String ROOT = "root-cert.pem";
    private static final String ROOT_KEY = "root-key.pem";
    private static final String CROSS = "cross-cert.pem";

    private AuthorityFolder() {}

    /**
     * Reads one and checks everything that a certificate signed by it depends on.
     *
     * @param now at which all of it must be valid
     * @throws UnusableCertificateException naming the file and the cause
     * @throws IOException when a key's file is not private
     */
    static SigningAuthority load(Path folder, Passphrase passphrase, Instant now)
            throws UnusableCertificateException, IOException {
        PrivateFiles.checkSecret(folder.resolve(KEY));
        List<X509Certificate> own = Certificates.authorities(Pem.read(folder.resolve(CERTIFICATE)));
        if (own.size() != 1) {
            throw new UnusableCertificateException(
                    folder.resolve(CERTIFICATE).toString(),
                    own.size() + " certificates, expected that of the issuer alone");
        }
        List<X509Certificate> roots = Certificates.authorities(Pem.read(folder.resolve(ROOT)), now);
        List<X509Certificate> chain = new ArrayList<>(own);
        if (Files.exists(folder.resolve(CHAIN)) && Files.size(folder.resolve(CHAIN)) > 0) {
            for (X509Certificate one : Certificates.authorities(Pem.read(folder.resolve(CHAIN)))) {
                if (!chain.contains(one) && !roots.contains(one)) {
                    chain.add(one);
                }
            }
        }
        TlsIdentity issuer = Certificates.identity(
                new Pem(folder.toString(), pem(chain)), passphrase.decode(Pem.read(folder.resolve(KEY))), now);
        ChainCheck.Found found = ChainCheck.check(folder.toString(), chain, roots, now);
        Optional<PrivateKey> rootKey = rootKey(folder, passphrase, found.root(), now);
        List<X509Certificate> ordered = new ArrayList<>(List.of(found.root()));
        roots.stream().filter(root -> !root.equals(found.root())).forEach(ordered::add);
        return new SigningAuthority(
                issuer.certificate(), issuer.key(), chain.subList(1, chain.size()), ordered, rootKey, cross(folder));
    }

    private static Optional<X509Certificate> cross(Path folder) throws UnusableCertificateException {
        Path file = folder.resolve(CROSS);
        return Files.exists(file)
                ? Optional.of(Certificates.authorities(Pem.read(file)).getFirst())
                : Optional.empty();
    }

    private static Optional<PrivateKey> rootKey(Path folder, Passphrase passphrase, X509Certificate root, Instant now)
            throws UnusableCertificateException, IOException {
        Path file = folder.resolve(ROOT_KEY);
        if (Files.notExists(file, LinkOption.NOFOLLOW_LINKS)) {
            return Optional.empty();
        }
        PrivateFiles.checkSecret(file);
        return Optional.of(Certificates.identity(
                        new Pem(folder.resolve(ROOT).toString(), pem(List.of(root))),
                        passphrase.decode(Pem.read(file)),
                        now)
                .key());
    }

    /**
     * Writes one to a folder that is not there yet: either all of it is on the disk afterwards, or nothing is.
     *
     * @throws IOException when it cannot be written
     */
    static void save(Path folder, SigningAuthority authority, Passphrase passphrase) throws IOException {
        Path next = folder.resolveSibling(folder.getFileName() + ".new");
        PrivateFiles.removeTree(next);
        Files.createDirectory(next, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
        List<X509Certificate> chain = new ArrayList<>(authority.sent());
        chain.add(authority.root());
        Map<String, String> files = Map.of(
                CERTIFICATE, pem(List.of(authority.issuer())),
                KEY, passphrase.encode(authority.key()),
                CHAIN, pem(chain),
                ROOT, pem(authority.roots()));
        for (Map.Entry<String, String> file : files.entrySet()) {
            write(next.resolve(file.getKey()), file.getValue());
        }
        if (authority.rootKey().isPresent()) {
            write(next.resolve(ROOT_KEY), passphrase.encode(authority.rootKey().get()));
        }
        if (authority.cross().isPresent()) {
            write(next.resolve(CROSS), pem(List.of(authority.cross().get())));
        }
        flush(next);
        Files.move(next, folder, StandardCopyOption.ATOMIC_MOVE);
        flushAround(folder);
    }

    private static void write(Path file, String text) throws IOException {
        try (FileChannel channel = FileChannel.open(
                file,
                Set.of(StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE, LinkOption.NOFOLLOW_LINKS),
                PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")))) {
            ByteBuffer bytes = ByteBuffer.wrap(text.getBytes(StandardCharsets.US_ASCII));
            while (bytes.hasRemaining()) {
                channel.write(bytes);
            }
            channel.force(true);
        }
    }

    /** What was renamed or made in a folder survives a loss of power only when the folder itself is flushed. */
    private static void flush(Path folder) throws IOException {
        try (FileChannel directory = FileChannel.open(folder, StandardOpenOption.READ)) {
            directory.force(true);
        }
    }

    /** The same for the folder that something is in. */
    static void flushAround(Path entry) throws IOException {
        Path folder = entry.toAbsolutePath().getParent();
        if (folder != null) {
            flush(folder);
        }
    }

    private static String pem(List<X509Certificate> certificates) {
        return IssuedCertificate.pem(certificates);
    }
}
