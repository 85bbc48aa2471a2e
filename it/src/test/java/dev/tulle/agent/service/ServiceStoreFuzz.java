package dev.tulle.agent.service;

import dev.tulle.it.fuzz.Cost;
import dev.tulle.it.fuzz.Manifests;
import dev.tulle.model.Service;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/**
 * The text of the services that an agent keeps: refused by an exception, which its reader answers with none, or the same
 * after it was written again.
 */
public final class ServiceStoreFuzz {
    private ServiceStoreFuzz() {}

    /** One file. */
    public static void fuzzerTestOneInput(byte[] data) {
        Cost.within(data.length, 800_000, 4_000, () -> check(new String(data, StandardCharsets.UTF_8)));
    }

    private static void check(String text) {
        List<Service> services;
        try {
            services = ServiceStore.decode(text);
        } catch (RuntimeException e) {
            return;
        }
        for (Service service : services) {
            Cost.must(service != null, "a service that is none");
        }
        List<Service> again = ServiceStore.decode(ServiceStore.encode(services));
        Cost.must(again.equals(services), "another content: " + services);
    }

    /** The services of every kind of configuration, and of none. */
    public static List<byte[]> seeds() {
        List<Service> services =
                new ArrayList<>(Manifests.translated(List.of()).services().values());
        return List.of(
                "[]".getBytes(StandardCharsets.UTF_8),
                ServiceStore.encode(services).getBytes(StandardCharsets.UTF_8));
    }
}
