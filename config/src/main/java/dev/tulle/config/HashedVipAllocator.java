package dev.tulle.config;

import dev.tulle.common.Cidr;
import dev.tulle.common.Ip;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.zip.CRC32C;

/**
 * Gives each service an IPv4 address of a range, at a place computed from its name, so that a mesh which lost its
 * records gives nearly every service the same address again. Thread-safe.
 */
public final class HashedVipAllocator implements VipAllocator {
    private final Cidr range;
    private final Map<String, Integer> allocated = new HashMap<>();
    private final Set<Integer> used = new HashSet<>();

    /**
     * An allocator for a range.
     *
     * @param range of 8 to 30 bits, for example {@code 240.240.0.0/16}
     * @param known earlier allocations by {@code namespace/hostname}, as {@link #allocations()} returned them
     * @throws IllegalArgumentException when the range has another size or an earlier allocation is not an address of it
     */
    public HashedVipAllocator(Cidr range, Map<String, String> known) {
        if (range.bits() < 8 || range.bits() > 30) {
            throw new IllegalArgumentException(
                    "range of service addresses: found " + range + ", expected IPv4 /8 to /30");
        }
        this.range = range;
        known.forEach((key, address) -> {
            int offset = range.contains(address) ? Ip.number(address) - range.network() : -1;
            if (offset < 0 || !used.add(offset)) {
                throw new IllegalArgumentException("service address of " + key + ": found " + address
                        + ", expected an unused address of " + range);
            }
            allocated.put(key, offset);
        });
    }

    @Override
    public synchronized List<String> addresses(String namespace, String hostname) {
        String key = namespace + "/" + hostname;
        Integer offset = allocated.get(key);
        if (offset == null) {
            offset = free(key);
            allocated.put(key, offset);
            used.add(offset);
        }
        return List.of(Ip.text4(range.host(offset)));
    }

    private int free(String key) {
        CRC32C crc = new CRC32C();
        crc.update(key.getBytes(StandardCharsets.UTF_8));
        // The first and the last address of the range stay unused: they look like a network and its broadcast.
        int usable = (int) range.size() - 2;
        int start = (int) (crc.getValue() % usable);
        for (int i = 0; i < usable; i++) {
            int offset = 1 + (start + i) % usable;
            if (!used.contains(offset)) {
                return offset;
            }
        }
        throw new IllegalStateException("no service address left for " + key + " in " + range);
    }

    /** Every allocation by {@code namespace/hostname}, to be kept and given to the next instance. */
    public synchronized Map<String, String> allocations() {
        Map<String, String> out = new TreeMap<>();
        allocated.forEach((key, offset) -> out.put(key, Ip.text4(range.host(offset))));
        return out;
    }
}
