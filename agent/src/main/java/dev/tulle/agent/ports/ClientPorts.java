package dev.tulle.agent.ports;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/**
 * The ports that the host's kernel gives to sockets which ask for none, most of them clients. No bind hook sees that: while
 * the mesh does not run, a client may be given one of its ports and keep the mesh from starting. Any thread.
 *
 * @param first of {@code net.ipv4.ip_local_port_range}
 * @param last of it
 * @param reserved {@code net.ipv4.ip_local_reserved_ports} as it is written: numbers and ranges with commas between them
 */
public record ClientPorts(int first, int last, String reserved) {
    private static final System.Logger LOG = System.getLogger(ClientPorts.class.getName());
    private static final Path SYSCTLS = Path.of("/proc/sys/net/ipv4");

    /** Bytes; the list of reserved ports may be long. */
    private static final int MOST = 1 << 16;

    /**
     * Tells in the log where this host may give ports of the mesh away while it does not run.
     *
     * @param from the first of the mesh's ports
     * @param to the last
     */
    public static void warn(int from, int to) {
        try {
            ofHost().warning(from, to).ifPresent(warning -> LOG.log(System.Logger.Level.WARNING, warning));
        } catch (IOException | RuntimeException e) {
            LOG.log(System.Logger.Level.DEBUG, "ports of clients: " + e.getMessage());
        }
    }

    /**
     * Reads those of this network namespace.
     *
     * @throws IOException when the kernel does not tell
     */
    static ClientPorts ofHost() throws IOException {
        String[] range = sysctl("ip_local_port_range").split("\\s+");
        String reserved = sysctl("ip_local_reserved_ports");
        if (range.length != 2) {
            throw new IOException("ip_local_port_range: " + String.join(" ", range) + "; expected two numbers");
        }
        try {
            return new ClientPorts(Integer.parseInt(range[0]), Integer.parseInt(range[1]), reserved);
        } catch (NumberFormatException e) {
            throw new IOException("ip_local_port_range: " + String.join(" ", range) + "; expected two numbers", e);
        }
    }

    /**
     * One in a single read: a numeric one has nothing after the first, and {@link Files#readString} begins with a read of
     * one byte where the size is told as 0, so that it returns the first digit.
     */
    private static String sysctl(String name) throws IOException {
        try (InputStream in = Files.newInputStream(SYSCTLS.resolve(name))) {
            byte[] bytes = new byte[MOST];
            int length = in.read(bytes);
            return new String(bytes, 0, Math.max(0, length), StandardCharsets.US_ASCII).strip();
        }
    }

    /** True when the kernel may give the port to anybody. */
    boolean mayGive(int port) {
        if (port < first || port > last) {
            return false;
        }
        for (String part : reserved.split(",")) {
            String[] ends = part.strip().split("-", 2);
            if (!ends[0].isEmpty()
                    && port >= Integer.parseInt(ends[0])
                    && port <= Integer.parseInt(ends[ends.length - 1])) {
                return false;
            }
        }
        return true;
    }

    /**
     * What a person should know and do about the mesh's ports; empty when none can be given away.
     *
     * @param from the first of them
     * @param to the last
     */
    Optional<String> warning(int from, int to) {
        for (int port = from; port <= to; port++) {
            if (mayGive(port)) {
                String list = (reserved.isEmpty() ? "" : reserved + ",") + from + "-" + to;
                return Optional.of("port " + port + " of the mesh lies where the host gives ports to clients (" + first
                        + " to " + last + "): while the mesh does not run one may have it, and the mesh cannot start;"
                        + " reserve them: sysctl -w net.ipv4.ip_local_reserved_ports=" + list);
            }
        }
        return Optional.empty();
    }
}
