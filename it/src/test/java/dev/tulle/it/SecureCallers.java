package dev.tulle.it;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;

/** Callers of the gateway one after the other, each with a connection of its own, until they are closed. */
final class SecureCallers implements AutoCloseable {
    private final AtomicInteger good = new AtomicInteger();
    private final List<String> bad = Collections.synchronizedList(new ArrayList<>());
    private final Thread thread;
    private volatile boolean over;

    SecureCallers(int port, Path folder) {
        thread = Thread.ofPlatform().start(() -> {
            while (!over) {
                try {
                    String code = GatewayTest.secureCode(port, folder, "shop.example.com");
                    if (code.equals("200 2")) {
                        good.incrementAndGet();
                    } else {
                        bad.add(code);
                    }
                } catch (Exception e) {
                    bad.add(e.toString());
                }
            }
        });
    }

    /** How many were served. */
    int good() {
        return good.get();
    }

    /** What the others got. */
    List<String> bad() {
        return List.copyOf(bad);
    }

    @Override
    public void close() throws InterruptedException {
        over = true;
        thread.join();
    }
}
