package dev.tulle.proxy.transport;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.tulle.common.pki.UnusableCertificateException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.time.Instant;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A list of authorities is read once for all who name it, and anew when it is another one. */
class IssuersTest {
    @TempDir
    Path directory;

    @Test
    void aFileIsReadOnceUntilItIsAnotherOne() throws Exception {
        Pki pki = new Pki(directory).authority("one").authority("two");
        Path file = directory.resolve("list.pem");
        Files.copy(pki.certificate("one"), file);
        Instant now = Instant.now();
        Issuers first = Issuers.of(file, now);
        assertSame(first, Issuers.of(file, now));
        assertEquals(1, first.certificates().size());
        Path next = directory.resolve("next.pem");
        Files.writeString(next, Files.readString(pki.certificate("one")) + Files.readString(pki.certificate("two")));
        Files.move(next, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        Issuers second = Issuers.of(file, now);
        assertNotSame(first, second);
        assertEquals(2, second.certificates().size());
        // What is known of it does not outlive its time.
        assertThrows(UnusableCertificateException.class, () -> Issuers.of(file, now.plus(Duration.ofDays(60))));
        Files.delete(file);
        assertThrows(UnusableCertificateException.class, () -> Issuers.of(file, now));
    }
}
