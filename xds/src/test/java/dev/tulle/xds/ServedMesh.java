package dev.tulle.xds;

import dev.tulle.common.LocalRefusals;
import dev.tulle.common.OwnerThread;
import dev.tulle.common.SocketAccess;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;

/** A server of one service, {@code a} at 240.240.0.1, on a socket for root and one other user, in a folder for everybody. */
final class ServedMesh implements AutoCloseable {
    /** The other user. */
    static final int PROXY = 4321;

    final OwnerThread owner = new OwnerThread("served-mesh");
    final LocalRefusals refusals = new LocalRefusals();
    final XdsServer server;
    final Path socket;
    private final Path directory;

    ServedMesh(Path directory) throws IOException {
        this.directory = directory;
        this.socket = directory.resolve("xds.sock");
        Files.setPosixFilePermissions(directory, PosixFilePermissions.fromString("rwxrwxrwx"));
        server = XdsServer.start(
                new XdsServerOptions(socket, SocketAccess.user(PROXY), refusals), owner, new FakeRegistry());
        TestMesh mesh = new TestMesh();
        mesh.service("a", "240.240.0.1");
        owner.call(() -> server.update(mesh.state()));
    }

    /** A process of another user that passes on what is sent to its own socket. */
    AsUser as(int uid, int gid) throws Exception {
        return new AsUser(socket, directory.resolve("relay"), uid, gid);
    }

    @Override
    public void close() {
        server.close();
        owner.close();
    }
}
