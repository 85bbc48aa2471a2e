package dev.tulle.identity.authority;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.SecureRandom;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** What the tests of the authority share: a clock that they move, and the openssl of this host. */
final class Lab {
    private Lab() {}

    /** Wall clock time that only moves when it is told. */
    static final class Clock implements InstantSource {
        private Instant now = Instant.now().truncatedTo(ChronoUnit.SECONDS);

        @Override
        public Instant instant() {
            return now;
        }

        void pass(Duration time) {
            now = now.plus(time);
        }
    }

    static CertificateAuthority open(AuthorityOptions options, InstantSource clock) throws Exception {
        return CertificateAuthority.open(options, clock, new SecureRandom());
    }

    static Path write(Path file, String text) throws Exception {
        Files.writeString(file, text);
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-------"));
        return file;
    }

    /** What openssl says; it must succeed. */
    static String openssl(Path folder, String... arguments) throws Exception {
        Outcome outcome = tryOpenssl(folder, arguments);
        if (outcome.status() != 0) {
            throw new AssertionError("openssl " + String.join(" ", arguments) + ": " + outcome.text());
        }
        return outcome.text();
    }

    record Outcome(int status, String text) {}

    static Outcome tryOpenssl(Path folder, String... arguments) throws Exception {
        List<String> command = new ArrayList<>(List.of("openssl"));
        command.addAll(List.of(arguments));
        Process process = new ProcessBuilder(command)
                .directory(folder.toFile())
                .redirectErrorStream(true)
                .start();
        process.getOutputStream().close();
        String text = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        if (!process.waitFor(60, TimeUnit.SECONDS)) {
            process.destroyForcibly();
            throw new AssertionError("openssl does not end");
        }
        return new Outcome(process.exitValue(), text);
    }
}
