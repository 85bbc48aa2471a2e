package dev.tulle.common;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.util.List;
import java.util.OptionalInt;
import java.util.stream.IntStream;

/** Ports of the loopback address that a program could listen on now. Any thread; another program may be quicker. */
public final class FreePorts {
    /** The proxy's, agent's and control plane's ports whose being free decides on an offset; the others are beside them. */
    private static final List<Integer> MESH = List.of(15001, 15014, 15020, 15021, 15053, 15080, 15090);

    private FreePorts() {}

    /** Whether a program could listen on the port of the loopback address now. */
    public static boolean isFree(int port) {
        try (ServerSocket socket = new ServerSocket()) {
            socket.setReuseAddress(true);
            socket.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), port));
            return true;
        } catch (IOException e) {
            return false;
        }
    }

    /** The first offset at which a mesh would have its ports; programs and other meshes of the host may have any. */
    public static OptionalInt forMesh(IntStream offsets) {
        return offsets.filter(offset -> MESH.stream().allMatch(port -> isFree(port + offset)))
                .findFirst();
    }
}
