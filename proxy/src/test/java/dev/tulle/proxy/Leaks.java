package dev.tulle.proxy;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.UnpooledByteBufAllocator;
import io.netty.util.ResourceLeakDetector;
import io.netty.util.ResourceLeakDetectorFactory;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;

/** Turns a forgotten buffer into a failed test: every buffer is watched, and what the collector finds unreleased counts. */
final class Leaks {
    private static final List<String> FOUND = new CopyOnWriteArrayList<>();

    private Leaks() {}

    /** To be called before the first buffer is made. */
    static void watch() {
        ResourceLeakDetector.setLevel(ResourceLeakDetector.Level.PARANOID);
        ResourceLeakDetectorFactory.setResourceLeakDetectorFactory(new ResourceLeakDetectorFactory() {
            // Abstract still, although deprecated for callers.
            @SuppressWarnings("deprecation")
            @Override
            public <T> ResourceLeakDetector<T> newResourceLeakDetector(
                    Class<T> resource, int samplingInterval, long maxActive) {
                return detector(resource, samplingInterval);
            }

            @Override
            public <T> ResourceLeakDetector<T> newResourceLeakDetector(Class<T> resource, int samplingInterval) {
                return detector(resource, samplingInterval);
            }
        });
    }

    private static <T> ResourceLeakDetector<T> detector(Class<T> resource, int samplingInterval) {
        return new ResourceLeakDetector<>(resource, samplingInterval) {
            @Override
            protected void reportTracedLeak(String resourceType, String records) {
                FOUND.add(resourceType + records);
            }

            @Override
            protected void reportUntracedLeak(String resourceType) {
                FOUND.add(resourceType);
            }
        };
    }

    /** Fails when a buffer was forgotten since the last check. */
    static void check() {
        for (int i = 0; i < 2; i++) {
            System.gc();
            // Leaks are reported when the next buffer is made.
            ByteBuf trigger = UnpooledByteBufAllocator.DEFAULT.directBuffer(16);
            trigger.release();
        }
        if (!FOUND.isEmpty()) {
            List<String> all = List.copyOf(FOUND);
            FOUND.clear();
            throw new AssertionError(all.size() + " buffers were not released: " + all.get(0));
        }
    }
}
