package dev.tulle.config;

import java.util.List;

/** Gives services their virtual addresses; the same service always gets the same ones. */
@FunctionalInterface
public interface VipAllocator {
    /**
     * The addresses of a service, in text form, IPv4 first; never empty.
     *
     * @throws IllegalStateException when the range is used up
     */
    List<String> addresses(String namespace, String hostname);
}
