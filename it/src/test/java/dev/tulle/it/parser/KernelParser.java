package dev.tulle.it.parser;

import dev.tulle.testkit.Command;
import dev.tulle.testkit.MeshLab;
import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * The kernel's parser of heads, {@code bpf/lib/http_parse.h}, compiled for user space and run as a program on many heads
 * at once.
 */
final class KernelParser {
    /** Fields whose values the program tells, as in {@code it/equality/heads.h}. */
    static final List<String> NAMES = List.of("x-tag", "end-user", "x-group", "user-agent");

    static final List<String> METHODS = List.of("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH");

    private static final List<String> COMPILERS =
            List.of("clang-19", "clang", "clang-18", "clang-17", "clang-16", "clang-15", "clang-14");

    /** What a head is. */
    enum Kind {
        REQUEST('q'),
        RESPONSE('p'),
        RESPONSE_TO_HEAD('h');

        private final char letter;

        Kind(char letter) {
            this.letter = letter;
        }

        /** What the programs call it. */
        byte letter() {
            return (byte) letter;
        }
    }

    /** A send that holds a head, and perhaps a body. */
    static final class Head {
        private final Kind kind;
        private final byte[] bytes;

        Head(Kind kind, byte[] bytes) {
            this.kind = kind;
            this.bytes = bytes;
        }

        Kind kind() {
            return kind;
        }

        byte[] bytes() {
            return bytes;
        }
    }

    /**
     * What the kernel would take.
     *
     * @param values of {@link #NAMES}; null: absent
     */
    record Taken(String method, int head, String path, long body, int code, List<@Nullable String> values) {}

    private final Path program;
    private final Path folder;

    /** Compiles the program into a folder. */
    KernelParser(Path folder) throws IOException, InterruptedException {
        Path home = MeshLab.home();
        this.folder = folder;
        program = folder.resolve("heads");
        Command.of(
                        compiler(),
                        "-O1",
                        "-g",
                        "-fsanitize=undefined",
                        "-fno-sanitize-recover=all",
                        "-Wall",
                        "-Werror",
                        "-I" + home.resolve("bpf"),
                        "-o",
                        program.toString(),
                        home.resolve("it/equality/heads.c").toString())
                .ok();
    }

    /** The compiler of the kernel programs. */
    static String compiler() {
        return COMPILERS.stream()
                .filter(KernelParser::isInstalled)
                .findFirst()
                .orElseThrow(() -> new AssertionError("no clang found: install clang-19 (or clang 14 and later)"));
    }

    private static boolean isInstalled(String name) {
        for (String directory : System.getenv("PATH").split(":")) {
            if (Files.isExecutable(Path.of(directory, name))) {
                return true;
            }
        }
        return false;
    }

    /** What the kernel would take of each head; null: it leaves it to the proxy. */
    List<@Nullable Taken> parse(List<Head> heads) throws IOException, InterruptedException {
        ByteArrayOutputStream in = new ByteArrayOutputStream();
        for (Head head : heads) {
            int length = head.bytes().length;
            in.write(head.kind().letter);
            in.write(length & 0xff);
            in.write(length >> 8);
            in.writeBytes(head.bytes());
        }
        Path input = Files.write(folder.resolve("heads.in"), in.toByteArray());
        File output = folder.resolve("heads.out").toFile();
        Process process = new ProcessBuilder(program.toString())
                .redirectInput(input.toFile())
                .redirectOutput(output)
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        if (!process.waitFor(60, TimeUnit.SECONDS) || process.exitValue() != 0) {
            process.destroyForcibly().waitFor();
            throw new AssertionError("the kernel's parser did not end well: status " + process.exitValue());
        }
        List<String> lines = Files.readAllLines(output.toPath());
        if (lines.size() != heads.size()) {
            throw new AssertionError(lines.size() + " answers for " + heads.size() + " heads");
        }
        List<@Nullable Taken> taken = new ArrayList<>();
        for (int i = 0; i < lines.size(); i++) {
            taken.add(taken(lines.get(i).split(" "), heads.get(i)));
        }
        return taken;
    }

    private static @Nullable Taken taken(String[] words, Head head) {
        if (words[0].equals("no")) {
            return null;
        }
        List<@Nullable String> values = new ArrayList<>();
        for (int i = 0; i < NAMES.size(); i++) {
            String[] span = words[7 + i].split(":");
            int length = Integer.parseInt(span[1]);
            values.add(length == 0 ? null : text(head.bytes(), Integer.parseInt(span[0]), length));
        }
        int method = Integer.parseInt(words[1]);
        return new Taken(
                method < METHODS.size() ? METHODS.get(method) : "",
                Integer.parseInt(words[2]),
                text(head.bytes(), Integer.parseInt(words[3]), Integer.parseInt(words[4])),
                Long.parseLong(words[5]),
                Integer.parseInt(words[6]),
                values);
    }

    private static String text(byte[] bytes, int from, int length) {
        return new String(bytes, from, length, StandardCharsets.ISO_8859_1);
    }
}
