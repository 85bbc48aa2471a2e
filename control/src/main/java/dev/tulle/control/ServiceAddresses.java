package dev.tulle.control;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import dev.tulle.common.Cidr;
import dev.tulle.common.Ip;
import dev.tulle.config.HashedVipAllocator;
import dev.tulle.config.VipAllocator;
import dev.tulle.control.state.JsonStateFile;
import java.io.IOException;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/** The virtual addresses of services, the same ones over restarts. Runs on the control plane's owner thread. */
final class ServiceAddresses implements VipAllocator {
    private static final System.Logger LOG = System.getLogger(ServiceAddresses.class.getName());

    private final JsonStateFile file;
    private final HashedVipAllocator allocator;
    private Map<String, String> saved;

    private ServiceAddresses(JsonStateFile file, HashedVipAllocator allocator, Map<String, String> saved) {
        this.file = file;
        this.allocator = allocator;
        this.saved = saved;
    }

    /**
     * Reads what was given out before; addresses outside the range are given up.
     */
    static ServiceAddresses load(JsonStateFile file, Cidr range) {
        Map<String, String> known = new TreeMap<>();
        Set<Integer> used = new HashSet<>();
        for (Map.Entry<String, JsonElement> entry : file.read().entrySet()) {
            try {
                String address = entry.getValue().getAsString();
                int number = Ip.number(address);
                if (range.contains(number) && used.add(number)) {
                    known.put(entry.getKey(), address);
                    continue;
                }
            } catch (IllegalArgumentException | IllegalStateException | UnsupportedOperationException e) {
                LOG.log(System.Logger.Level.DEBUG, "no address", e);
            }
            LOG.log(
                    System.Logger.Level.WARNING,
                    "service {0} loses its address {1}: it is not a free address of {2}",
                    entry.getKey(),
                    entry.getValue(),
                    range);
        }
        HashedVipAllocator allocator = new HashedVipAllocator(range, known);
        return new ServiceAddresses(file, allocator, known);
    }

    /** What was wrong with the file, for people; empty when nothing was. */
    String trouble() {
        return file.trouble();
    }

    @Override
    public List<String> addresses(String namespace, String hostname) {
        return allocator.addresses(namespace, hostname);
    }

    /**
     * Writes down what was given out since the last time; to be called before anybody is told.
     *
     * @throws IOException when it cannot be written
     */
    void save() throws IOException {
        Map<String, String> now = allocator.allocations();
        if (!now.equals(saved)) {
            JsonObject content = new JsonObject();
            now.forEach(content::addProperty);
            file.write(content);
            saved = now;
        }
    }
}
