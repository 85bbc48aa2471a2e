package dev.tulle.proxy;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.model.WeightedCluster;
import io.netty.buffer.PooledByteBufAllocator;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What waits in a relay of bytes is not much more than the bytes themselves, however small the pieces are that came. */
@Timeout(30)
class RelayMemoryTest {
    private static final int NARROW = 4 << 10;
    private static final int PIECE = 40;
    private static final int PIECES = 300;
    private static final int FILL = 16 << 10;

    @Test
    void smallPiecesThatWaitDoNotKeepWhatTheyWereReadInto() throws Exception {
        try (ServerSocket server = new ServerSocket()) {
            server.setReceiveBufferSize(NARROW);
            server.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
            try (ProxyFixture proxy = new ProxyFixture(Meshes.mesh()
                            .subset("", server.getLocalPort())
                            .tcp(new WeightedCluster(Meshes.cluster(""), 1))
                            .build());
                    Socket client = new Socket(InetAddress.getLoopbackAddress(), proxy.port)) {
                client.setTcpNoDelay(true);
                try (Socket stalled = server.accept()) {
                    long before = PooledByteBufAllocator.DEFAULT.pinnedDirectMemory();
                    // Until the kernel takes no more for a server that does not read, and a little waits in the proxy.
                    int sent = 0;
                    while (PooledByteBufAllocator.DEFAULT.pinnedDirectMemory() <= before + FILL) {
                        client.getOutputStream().write(new byte[FILL]);
                        sent += FILL;
                        Thread.sleep(5);
                    }
                    long most = 0;
                    for (int i = 0; i < PIECES; i++) {
                        client.getOutputStream().write(new byte[PIECE]);
                        sent += PIECE;
                        // So that the proxy reads each by itself.
                        Thread.sleep(1);
                        most = Math.max(most, PooledByteBufAllocator.DEFAULT.pinnedDirectMemory() - before);
                    }
                    assertTrue(most <= 1 << 20, most + " bytes wait in the proxy");
                    client.shutdownOutput();
                    assertEquals(sent, stalled.getInputStream().readAllBytes().length);
                }
            }
        }
    }
}
