package dev.tulle.agent;

import static org.junit.jupiter.api.Assertions.assertEquals;

import com.google.gson.JsonParser;
import dev.tulle.agent.enrol.EnrolRequest;
import dev.tulle.agent.enrol.Lease;
import dev.tulle.agent.host.Cgroups;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Whose a control group is; a folder stands for the hierarchy. */
class GroupOwnersTest {
    @TempDir
    Path mount;

    private Lease lease(String name, Lease.State state) throws Exception {
        String request = "{\"name\":\"" + name + "\"}";
        return new Lease(
                EnrolRequest.parse(JsonParser.parseString(request).getAsJsonObject()),
                1,
                1,
                "/" + name,
                0,
                true,
                Instant.EPOCH,
                state);
    }

    @Test
    void itsOwnGroupAndThoseBelow() throws Exception {
        Cgroups cgroups = new Cgroups(mount);
        GroupOwners owners = new GroupOwners(cgroups);
        cgroups.create("/a/below/deeper");
        cgroups.create("/b");
        cgroups.create("/other");
        Lease a = lease("a", Lease.State.RUNNING);
        Lease b = lease("b", Lease.State.DORMANT);
        Lease gone = lease("gone", Lease.State.RUNNING);
        List<Lease> leases = List.of(gone, b, a);
        assertEquals(Optional.of(a), owners.owner(cgroups.id("/a"), leases));
        assertEquals(Optional.of(a), owners.owner(cgroups.id("/a/below/deeper"), leases));
        assertEquals(Optional.empty(), owners.owner(cgroups.id("/b"), leases));
        assertEquals(Optional.empty(), owners.owner(cgroups.id("/other"), leases));
        // What is kept holds for these leases alone.
        Lease awake = lease("b", Lease.State.RUNNING);
        assertEquals(Optional.of(awake), owners.owner(cgroups.id("/b"), List.of(a, awake)));
        assertEquals(Optional.empty(), owners.owner(cgroups.id("/a"), List.of(awake)));
    }

    @Test
    void howeverDeep() throws Exception {
        Cgroups cgroups = new Cgroups(mount);
        String deep = "/a" + "/below".repeat(300);
        cgroups.create(deep);
        Lease a = lease("a", Lease.State.RUNNING);
        assertEquals(Optional.of(a), new GroupOwners(cgroups).owner(cgroups.id(deep), List.of(a)));
    }

    @Test
    void oneQuestionWalksThroughTheGroupsAndTheNextDoesNot() throws Exception {
        Cgroups cgroups = new Cgroups(mount);
        GroupOwners owners = new GroupOwners(cgroups);
        cgroups.create("/a/below");
        Lease a = lease("a", Lease.State.RUNNING);
        long below = cgroups.id("/a/below");
        assertEquals(Optional.of(a), owners.owner(below, List.of(a)));
        Files.delete(mount.resolve("a/below"));
        assertEquals(Optional.of(a), owners.owner(below, List.of(a)));
    }
}
