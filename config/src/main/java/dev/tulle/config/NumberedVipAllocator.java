package dev.tulle.config;

import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Gives each service an address of its own that nobody ever sees: for a translation that is only looked at. */
public final class NumberedVipAllocator implements VipAllocator {
    private final Map<String, List<String>> given = new HashMap<>();

    /** One that has given none. */
    public NumberedVipAllocator() {}

    @Override
    public List<String> addresses(String namespace, String hostname) {
        return given.computeIfAbsent(namespace + "/" + hostname, _ -> {
            int number = given.size() + 1;
            return List.of("255." + (number >> 16 & 0xff) + "." + (number >> 8 & 0xff) + "." + (number & 0xff));
        });
    }
}
