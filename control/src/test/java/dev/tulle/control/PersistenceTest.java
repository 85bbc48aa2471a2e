package dev.tulle.control;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import dev.tulle.common.Cidr;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What the control plane writes down: addresses and leases, and what it does with files that are not what it wrote. */
class PersistenceTest {
    private static final Cidr SERVICES = Cidr.of("services", "240.240.0.0/16");
    private static final Cidr WORKLOADS = Cidr.of("workloads", "100.64.0.0/10");

    @TempDir
    private Path directory = Path.of("");

    @Test
    void aFileCutAtEveryByteIsReadWholeOrPutAside() throws IOException {
        Path path = directory.resolve("state.json");
        JsonObject content = new JsonObject();
        content.addProperty("default/a", "240.240.0.7");
        content.addProperty("default/b", "240.240.0.8");
        new StateFile(path).write(content);
        assertEquals(content, new StateFile(path).read());
        byte[] whole = Files.readAllBytes(path);
        for (int length = 0; length < whole.length; length++) {
            Files.write(path, Arrays.copyOf(whole, length));
            assertEquals(new JsonObject(), new StateFile(path).read(), "cut after " + length + " bytes");
        }
        assertTrue(Files.exists(directory.resolve("state.json.unreadable")));
        new StateFile(path).write(content);
        assertEquals(content, new StateFile(path).read());
    }

    @Test
    void servicesKeepTheirAddressesAndForeignOnesAreGivenUp() throws IOException {
        StateFile file = new StateFile(directory.resolve("addresses.json"));
        ServiceAddresses addresses = ServiceAddresses.load(file, SERVICES);
        List<String> a = addresses.addresses("default", "a");
        List<String> b = addresses.addresses("default", "b");
        assertNotEquals(a, b);
        addresses.save();
        ServiceAddresses again = ServiceAddresses.load(file, SERVICES);
        assertEquals(b, again.addresses("default", "b"));
        assertEquals(a, again.addresses("default", "a"));

        JsonObject odd = file.read();
        odd.addProperty("default/c", "10.0.0.1");
        odd.addProperty("default/d", a.getFirst());
        odd.addProperty("default/e", "no address");
        odd.add("default/f", new JsonObject());
        file.write(odd);
        ServiceAddresses mended = ServiceAddresses.load(file, SERVICES);
        assertEquals(a, mended.addresses("default", "a"));
        Set<String> all = new HashSet<>();
        for (String host : List.of("a", "b", "c", "d", "e", "f")) {
            String address = mended.addresses("default", host).getFirst();
            assertTrue(SERVICES.contains(address), address);
            assertTrue(all.add(address), address + " given twice");
        }
    }

    @Test
    void nodesKeepTheirPrefixes() throws IOException {
        StateFile file = new StateFile(directory.resolve("leases.json"));
        NodeLeases leases = NodeLeases.load(file, WORKLOADS);
        Cidr first = leases.grant("n1", "").orElseThrow();
        assertEquals("100.64.0.0/24", first.toString());
        assertEquals(first, leases.grant("n1", "100.64.9.0/24").orElseThrow(), "what it has beats what it wants");
        assertEquals(
                "100.64.9.0/24",
                leases.grant("n2", "100.64.9.0/24").orElseThrow().toString());
        assertEquals(
                "100.64.1.0/24",
                leases.grant("n3", "100.64.9.0/24").orElseThrow().toString());
        assertEquals(
                "100.64.2.0/24", leases.grant("n4", "10.0.0.0/24").orElseThrow().toString());
        assertEquals(
                "100.64.3.0/24", leases.grant("n5", "nonsense").orElseThrow().toString());
        leases.setActive("n2", true);
        NodeLeases again = NodeLeases.load(file, WORKLOADS);
        assertEquals(Set.of("n2"), again.active());
        assertEquals("100.64.9.0/24", again.grant("n2", "").orElseThrow().toString());
        assertEquals(first, again.grant("n1", "").orElseThrow());
    }

    @Test
    void anEmptyRangeRefuses() throws IOException {
        NodeLeases leases =
                NodeLeases.load(new StateFile(directory.resolve("few.json")), Cidr.of("few", "10.9.0.0/23"));
        assertTrue(leases.grant("a", "").isPresent());
        assertTrue(leases.grant("b", "").isPresent());
        assertEquals(Optional.empty(), leases.grant("c", ""));
    }
}
