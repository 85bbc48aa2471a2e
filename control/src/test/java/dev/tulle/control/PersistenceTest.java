package dev.tulle.control;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import dev.tulle.common.Cidr;
import dev.tulle.control.state.JsonStateFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
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
    void aFileThatIsNotWholeIsTheOneBeforeItAndSaysSo() throws IOException {
        Path path = directory.resolve("state.json");
        JsonObject old = new JsonObject();
        old.addProperty("default/a", "240.240.0.7");
        JsonObject content = old.deepCopy();
        content.addProperty("default/b", "240.240.0.8");
        new JsonStateFile(path, "test").write(old);
        new JsonStateFile(path, "test").write(content);
        JsonStateFile whole = new JsonStateFile(path, "test");
        assertEquals(content, whole.read());
        assertEquals("", whole.trouble());
        byte[] good = Files.readAllBytes(path);
        for (int at : new int[] {0, 20, good.length - 5}) {
            byte[] bad = good.clone();
            bad[at] ^= 1;
            Files.write(path, bad);
            JsonStateFile damaged = new JsonStateFile(path, "test");
            assertEquals(old, damaged.read(), "byte " + at);
            assertTrue(damaged.trouble().contains("the version before it is used"), damaged.trouble());
        }
    }

    @Test
    void aFileOfTheTimeBeforeChecksumsIsRead() throws IOException {
        Path path = directory.resolve("state.json");
        Files.writeString(path, "{\"default/a\":\"240.240.0.7\"}");
        JsonStateFile file = new JsonStateFile(path, "test");
        assertEquals("240.240.0.7", file.read().get("default/a").getAsString());
        Files.writeString(path, "{\"default/a\":\"240.240");
        assertEquals(new JsonObject(), file.read());
        assertTrue(file.trouble().contains("begun anew"), file.trouble());
    }

    @Test
    void servicesKeepTheirAddressesAndForeignOnesAreGivenUp() throws IOException {
        JsonStateFile file = new JsonStateFile(directory.resolve("addresses.json"), "addresses");
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
        JsonStateFile file = new JsonStateFile(directory.resolve("leases.json"), "leases");
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
                NodeLeases.load(new JsonStateFile(directory.resolve("few.json"), "few"), Cidr.of("few", "10.9.0.0/23"));
        assertTrue(leases.grant("a", "").isPresent());
        assertTrue(leases.grant("b", "").isPresent());
        assertEquals(Optional.empty(), leases.grant("c", ""));
    }
}
