package dev.tulle.agent.datapath;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.agent.host.Cgroups;
import dev.tulle.agent.tier.Tier;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The self-tests on this kernel; needs root. */
class KernelSelfTestTest {
    private static final String GROUP = "/tulle-selftesttest";
    private static final Path ELF = Path.of("../bpf/build/tulle.bpf.o");

    private Cgroups cgroups = new Cgroups(Path.of("/"));
    private String before = "/";

    @BeforeEach
    void enterGroup() throws IOException {
        cgroups = Cgroups.find();
        before = cgroups.groupOf(ProcessHandle.current().pid());
        cgroups.create(GROUP + "/agent");
        cgroups.move(ProcessHandle.current().pid(), GROUP + "/agent");
    }

    @AfterEach
    void leaveGroup() throws IOException {
        cgroups.move(ProcessHandle.current().pid(), before);
        cgroups.remove(GROUP, before);
        assertFalse(cgroups.exists(GROUP));
    }

    @Test
    void passesOnThisKernelAndIsQuick() {
        long start = System.nanoTime();
        assertEquals(Optional.empty(), KernelSelfTest.failure(Tier.SPLICE, ELF, cgroups, GROUP + "/agent"));
        assertEquals(Optional.empty(), KernelSelfTest.failure(Tier.REDIRECT, ELF, cgroups, GROUP + "/agent"));
        long millis = (System.nanoTime() - start) / 1_000_000;
        System.out.println("both self-tests took " + millis + " ms");
        assertTrue(millis < 3000, millis + " ms");
    }

    @Test
    void kernelHttpPassesOnThisKernelAndIsQuick() {
        long start = System.nanoTime();
        assertEquals(Optional.empty(), HttpSelfTest.failure(ELF, cgroups, GROUP + "/agent"));
        long millis = (System.nanoTime() - start) / 1_000_000;
        System.out.println("the self-test of kernel HTTP took " + millis + " ms");
        assertTrue(millis < 3000, millis + " ms");
    }

    @Test
    void aRefusedHookIsNamed() {
        System.setProperty(RefusedHooks.VARIABLE, "setsockopt, skmsg@attach");
        try {
            String http = HttpSelfTest.failure(ELF, cgroups, GROUP + "/agent").orElse("");
            assertTrue(http.contains("hook skmsg is in force: cannot attach"), http);
            String splice = KernelSelfTest.failure(Tier.SPLICE, ELF, cgroups, GROUP + "/agent")
                    .orElse("");
            assertTrue(splice.contains("splicing programs"), splice);
            assertEquals(Optional.empty(), KernelSelfTest.failure(Tier.REDIRECT, ELF, cgroups, GROUP + "/agent"));
            System.setProperty(RefusedHooks.VARIABLE, "bind6");
            String redirect = KernelSelfTest.failure(Tier.REDIRECT, ELF, cgroups, GROUP + "/agent")
                    .orElse("");
            assertTrue(redirect.contains("tulle_bind6: refused on purpose"), redirect);
        } finally {
            System.clearProperty(RefusedHooks.VARIABLE);
        }
    }

    @Test
    void saysWhatIsMissing() {
        Optional<String> failure = KernelSelfTest.failure(Tier.SPLICE, Path.of("missing.o"), cgroups, GROUP + "/agent");
        assertTrue(failure.orElse("").contains("missing.o"), failure.toString());
    }
}
