package dev.tulle.control;

import dev.tulle.common.SocketAccess;
import dev.tulle.config.SecretFile;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;

/**
 * What Secrets hold, as files that nobody but this process's user and the proxies' group can read. A file never changes:
 * another content has another name, so that a certificate and its key are always of one Secret. Those that nobody refers
 * to any more are removed a while later. Owner thread only.
 */
final class SecretFolder {
    private final Path folder;
    private final String group;
    private Set<Path> wanted = Set.of();

    /** @param proxies the number of the proxies' group */
    SecretFolder(Path folder, int proxies) {
        this.folder = folder;
        this.group = Integer.toString(proxies);
    }

    Path folder() {
        return folder;
    }

    /**
     * Has these there.
     *
     * @throws IOException when one cannot be written
     */
    void write(List<SecretFile> files) throws IOException {
        Set<Path> all = new TreeSet<>();
        for (SecretFile file : files) {
            all.add(file.file());
            if (!Files.exists(file.file())) {
                write(file);
            }
        }
        wanted = all;
    }

    private void write(SecretFile file) throws IOException {
        Path parent = folder;
        make(parent);
        Path below = folder.relativize(file.file());
        for (int i = 0; i + 1 < below.getNameCount(); i++) {
            parent = parent.resolve(below.getName(i));
            make(parent);
        }
        // Its owner's alone until it has its group.
        Path temporary = Files.createTempFile(parent, ".", ".tmp");
        try {
            Files.write(temporary, file.content().getBytes(StandardCharsets.ISO_8859_1));
            give(temporary, "rw-r-----");
            Files.move(temporary, file.file(), StandardCopyOption.ATOMIC_MOVE);
        } finally {
            Files.deleteIfExists(temporary);
        }
    }

    private void make(Path directory) throws IOException {
        if (!Files.isDirectory(directory)) {
            Files.createDirectory(
                    directory, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
            give(directory, "rwxr-x---");
        }
    }

    private void give(Path file, String permissions) throws IOException {
        SocketAccess.setGroup(file, group);
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString(permissions));
    }

    /** Removes what is not wanted, and directories that are empty then. */
    void sweep() throws IOException {
        if (Files.isDirectory(folder)) {
            sweep(folder);
        }
    }

    private void sweep(Path directory) throws IOException {
        try (DirectoryStream<Path> entries = Files.newDirectoryStream(directory)) {
            for (Path entry : entries) {
                if (Files.isDirectory(entry)) {
                    sweep(entry);
                } else if (!wanted.contains(entry)) {
                    Files.delete(entry);
                }
            }
        }
        try (DirectoryStream<Path> entries = Files.newDirectoryStream(directory)) {
            if (entries.iterator().hasNext()) {
                return;
            }
        }
        Files.delete(directory);
    }
}
