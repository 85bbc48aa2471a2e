package dev.tulle.config;

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
    private final int base;
    private final int size;
    private final Map<String, Integer> allocated = new HashMap<>();
    private final Set<Integer> used = new HashSet<>();

    /**
     * An allocator for a range.
     *
     * @param network the first address of the range, for example {@code 240.240.0.0}
     * @param prefixLength 8 to 30
     * @param known earlier allocations by {@code namespace/hostname}, as {@link #allocations()} returned them
     * @throws IllegalArgumentException when the range or an earlier allocation is not an IPv4 address of the range
     */
    public HashedVipAllocator(String network, int prefixLength, Map<String, String> known) {
        if (!Words.isIpv4(network) || prefixLength < 8 || prefixLength > 30) {
            throw new IllegalArgumentException(
                    "range of service addresses: found " + network + "/" + prefixLength + ", expected IPv4 /8 to /30");
        }
        this.base = parse(network) & (-1 << (32 - prefixLength));
        this.size = 1 << (32 - prefixLength);
        known.forEach((key, address) -> {
            int offset = Words.isIpv4(address) ? parse(address) - base : -1;
            if (offset < 0 || offset >= size || !used.add(offset)) {
                throw new IllegalArgumentException("service address of " + key + ": found " + address
                        + ", expected an unused address of " + network + "/" + prefixLength);
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
        return List.of(format(base + offset));
    }

    private int free(String key) {
        CRC32C crc = new CRC32C();
        crc.update(key.getBytes(StandardCharsets.UTF_8));
        // The first and the last address of the range stay unused: they look like a network and its broadcast.
        int usable = size - 2;
        int start = (int) (crc.getValue() % usable);
        for (int i = 0; i < usable; i++) {
            int offset = 1 + (start + i) % usable;
            if (!used.contains(offset)) {
                return offset;
            }
        }
        throw new IllegalStateException("no service address left for " + key + " in a range of " + size);
    }

    /** Every allocation by {@code namespace/hostname}, to be kept and given to the next instance. */
    public synchronized Map<String, String> allocations() {
        Map<String, String> out = new TreeMap<>();
        allocated.forEach((key, offset) -> out.put(key, format(base + offset)));
        return out;
    }

    private static int parse(String address) {
        int value = 0;
        for (String part : address.split("\\.", -1)) {
            value = value << 8 | Integer.parseInt(part);
        }
        return value;
    }

    private static String format(int address) {
        return (address >>> 24) + "." + (address >> 16 & 0xff) + "." + (address >> 8 & 0xff) + "." + (address & 0xff);
    }
}
