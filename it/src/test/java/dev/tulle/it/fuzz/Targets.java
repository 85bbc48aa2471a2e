package dev.tulle.it.fuzz;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipInputStream;

/**
 * The fuzz targets: classes named {@code …Fuzz} with {@code public static void fuzzerTestOneInput(byte[])}, and {@code
 * public static List<byte[]> seeds()} for inputs to begin with. They stand in the packages of what they test.
 */
final class Targets {
    private Targets() {}

    /** All of them, by name. */
    static List<Class<?>> all() throws IOException, ClassNotFoundException {
        Path root = Path.of(Targets.class
                .getProtectionDomain()
                .getCodeSource()
                .getLocation()
                .getPath());
        List<String> names;
        try (Stream<Path> files = Files.walk(root)) {
            names = files.map(file -> root.relativize(file).toString())
                    .filter(name -> name.endsWith("Fuzz.class"))
                    .map(name ->
                            name.substring(0, name.length() - ".class".length()).replace('/', '.'))
                    .sorted()
                    .toList();
        }
        List<Class<?>> found = new ArrayList<>();
        for (String name : names) {
            found.add(Class.forName(name));
        }
        return found;
    }

    /** The inputs that a target begins with. */
    @SuppressWarnings("unchecked")
    static List<byte[]> seeds(Class<?> target) throws ReflectiveOperationException {
        return (List<byte[]>) target.getMethod("seeds").invoke(null);
    }

    /** The kept inputs of a target; none when there is no such file yet. */
    static List<byte[]> corpus(Class<?> target, Path directory) throws IOException {
        List<byte[]> inputs = new ArrayList<>();
        Path file = directory.resolve(target.getSimpleName() + ".zip");
        if (Files.exists(file)) {
            try (InputStream in = Files.newInputStream(file);
                    ZipInputStream zip = new ZipInputStream(in)) {
                for (ZipEntry entry = zip.getNextEntry(); entry != null; entry = zip.getNextEntry()) {
                    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
                    zip.transferTo(bytes);
                    inputs.add(bytes.toByteArray());
                }
            }
        }
        return inputs;
    }

    /** Gives a target one input. */
    static void run(Class<?> target, byte[] input) throws Throwable {
        Method method = target.getMethod("fuzzerTestOneInput", byte[].class);
        try {
            method.invoke(null, input);
        } catch (InvocationTargetException e) {
            throw e.getCause() == null ? e : e.getCause();
        }
    }

    /** Writes the seeds of all targets into a directory of each one's name below that of the argument. */
    public static void main(String[] arguments) throws Exception {
        for (Class<?> target : all()) {
            Path directory = Files.createDirectories(Path.of(arguments[0], target.getSimpleName(), "corpus"));
            int number = 0;
            for (byte[] seed : seeds(target)) {
                Files.write(directory.resolve("seed-" + number++), seed);
            }
        }
    }
}
