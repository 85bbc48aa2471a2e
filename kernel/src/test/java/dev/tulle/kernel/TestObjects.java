package dev.tulle.kernel;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;

/** Compiles the tests' C with the newest clang found, once per file and run. */
final class TestObjects {
    private static final Path SOURCES = Path.of("src/test/bpf");
    private static final Path OUTPUT = Path.of("target/bpf");
    private static final Map<String, Path> DONE = new ConcurrentHashMap<>();

    private TestObjects() {}

    static Path sample() {
        return compiled("sample.bpf.c", List.of());
    }

    static Path compiled(String source, List<String> flags) {
        return DONE.computeIfAbsent(source + flags, _ -> compile(source, flags));
    }

    private static Path compile(String source, List<String> flags) {
        String suffix = flags.isEmpty() ? "" : "-" + Integer.toHexString(flags.hashCode());
        Path out = OUTPUT.resolve(source.replace(".c", suffix + ".o"));
        String machine = System.getProperty("os.arch").equals("aarch64") ? "aarch64" : "x86_64";
        try {
            Files.createDirectories(OUTPUT);
            Path log = OUTPUT.resolve(source + ".log");
            var command = new java.util.ArrayList<>(List.of(
                    clang(), "-target", "bpf", "-g", "-O2", "-Wall", "-I/usr/include/" + machine + "-linux-gnu"));
            command.addAll(flags);
            command.addAll(List.of("-c", SOURCES.resolve(source).toString(), "-o", out.toString()));
            Process process = new ProcessBuilder(command)
                    .redirectErrorStream(true)
                    .redirectOutput(log.toFile())
                    .start();
            if (!process.waitFor(60, TimeUnit.SECONDS) || process.exitValue() != 0) {
                throw new IllegalStateException(String.join(" ", command) + "\n" + Files.readString(log));
            }
            return out;
        } catch (IOException e) {
            throw new IllegalStateException(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException(e);
        }
    }

    private static String clang() {
        for (String name : List.of("clang-19", "clang-18", "clang-17", "clang-16", "clang-15", "clang-14", "clang")) {
            for (String directory : System.getenv("PATH").split(":")) {
                if (Files.isExecutable(Path.of(directory, name))) {
                    return name;
                }
            }
        }
        throw new IllegalStateException("no clang: the tests of this module compile BPF programs");
    }
}
