package dev.tulle.kernel;

import java.util.List;
import org.junit.jupiter.api.extension.AfterAllCallback;
import org.junit.jupiter.api.extension.BeforeAllCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

/** Registered for every test class of the module: a class that leaves a kernel resource open fails. */
public final class LeakExtension implements BeforeAllCallback, AfterAllCallback {
    private List<LeakTracker.Resource> before = List.of();

    @Override
    public void beforeAll(ExtensionContext context) {
        LeakTracker.captureSites(true);
        before = LeakTracker.open();
    }

    @Override
    public void afterAll(ExtensionContext context) {
        LeakTracker.assertNoneSince(before);
    }
}
