package dev.tulle.xds;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;

/**
 * A process of another user that connects to a Unix socket and passes on what comes and goes: the server sees that user,
 * whatever program speaks through it. Needs root and python3.
 */
final class AsUser implements AutoCloseable {
    private static final String RELAY = """
            import os, socket, sys, threading
            target, place, uid, gid = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
            listener = socket.socket(socket.AF_UNIX); listener.bind(place); listener.listen(64)
            os.setgroups([]); os.setgid(gid); os.setuid(uid)
            print('ready', flush=True)
            def pump(a, b):
                try:
                    while data := a.recv(65536): b.sendall(data)
                except OSError: pass
                for s in (a, b):
                    try: s.shutdown(socket.SHUT_RDWR)
                    except OSError: pass
            while True:
                near, _ = listener.accept()
                far = socket.socket(socket.AF_UNIX)
                try: far.connect(target)
                except OSError as e:
                    print(e.strerror, flush=True); near.close(); continue
                print('connected', flush=True)
                threading.Thread(target=pump, args=(near, far), daemon=True).start()
                threading.Thread(target=pump, args=(far, near), daemon=True).start()
            """;

    private final Process process;
    private final BufferedReader out;
    private final Path socket;

    /**
     * Starts it.
     *
     * @param target the socket to connect to
     * @param place the socket to make, for a program to connect to instead
     */
    AsUser(Path target, Path place, int uid, int gid) throws IOException {
        this.socket = place;
        process = new ProcessBuilder(
                        "python3",
                        "-c",
                        RELAY,
                        target.toString(),
                        place.toString(),
                        Integer.toString(uid),
                        Integer.toString(gid))
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        out = process.inputReader(StandardCharsets.UTF_8);
        if (!"ready".equals(out.readLine())) {
            throw new IOException("the relay did not start");
        }
    }

    Path socket() {
        return socket;
    }

    /** What came of the next attempt to connect: {@code connected}, or the system's word for why not. */
    String attempt() throws IOException {
        return String.valueOf(out.readLine());
    }

    @Override
    public void close() throws InterruptedException {
        process.destroyForcibly().waitFor(10, TimeUnit.SECONDS);
    }
}
