package dev.tulle.proxy;

import io.netty.util.ResourceLeakDetector;
import java.nio.file.Path;
import java.util.concurrent.CountDownLatch;

/**
 * Two node proxies of one worker each with a tunnel between them, as the benchmark of mutual TLS runs them. Arguments: a
 * folder for certificates, the port to listen on, the port of the back end at {@link TunnelNodes#WEB}.
 */
public final class TunnelMain {
    private TunnelMain() {}

    /** Runs until it is killed. */
    public static void main(String[] args) throws Exception {
        int back = Integer.parseInt(args[2]);
        Meshes mesh = Meshes.mesh().subset("", back).routes(HopMain.routes().toArray(dev.tulle.model.Route[]::new));
        try (TunnelNodes nodes = new TunnelNodes(Path.of(args[0]), back, mesh)) {
            // Tests watch every buffer.
            ResourceLeakDetector.setLevel(ResourceLeakDetector.Level.DISABLED);
            nodes.listen(Integer.parseInt(args[1]));
            System.out.println("listening on " + args[1]);
            new CountDownLatch(1).await();
        }
    }
}
