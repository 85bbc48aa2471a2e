package dev.tulle.kernel;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.kernel.VerifierLog.Cause;
import dev.tulle.kernel.VerifierLog.Verdict;
import java.util.List;
import java.util.random.RandomGenerator;
import java.util.random.RandomGeneratorFactory;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Goal: one cause for every text that kernels from 5.15 on write. Method: a table, then noise around and instead of it. */
class VerifierLogTest {
    private static final String WALK = """
            func#0 @0
            0: R1=ctx(off=0,imm=0) R10=fp0
            ; int program(struct bpf_sock_addr *ctx) @ connect.c:41
            0: (b7) r0 = 0                        ; R0_w=0
            ; value->hits += 1; @ connect.c:57
            %s
            processed 12 insns (limit 1000000) max_states_per_insn 0 total_states 1 peak_states 1 mark_read 1
            """;

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "HELPER | 13 | unknown func bpf_skc_to_tcp_sock#137 | bpf_skc_to_tcp_sock#137",
                "HELPER | 13 | program of this type cannot use helper bpf_msg_pull_data#63 | bpf_msg_pull_data#63",
                "HELPER | 22 | invalid func unknown#9999 | unknown#9999",
                "RELOCATION | 22 | invalid func unknown#195896080 | ``",
                "RELOCATION | 22 | 4: <invalid CO-RE relocation> | ``",
                "LICENSE | 22 | cannot call GPL-restricted function from non-GPL compatible program | ``",
                "KFUNC | 13 | calling kernel function bpf_iter_num_new is not allowed | bpf_iter_num_new",
                "INSTRUCTION_LIMIT | 7 | BPF program is too large. Processed 1000001 insn | 1000001",
                "INSTRUCTION_LIMIT | 7 | The sequence of 8193 jumps is too complex. | 8193",
                "LOOP | 22 | infinite loop detected at insn 3 | ``",
                "LOOP | 22 | back-edge from insn 7 to 3 | ``",
                "STACK | 13 | combined stack size of 3 calls is 544. Too large | 544",
                "STACK | 13 | invalid read from stack R10 off -600+0 size 4 | ``",
                "STACK | 13 | invalid stack off=-520 size=8 | ``",
                "STACK | 13 | invalid indirect read from stack R2 off -16+4 size 8 | ``",
                "STACK | 13 | invalid write to stack R10 off=0 size=8 | ``",
                "REFERENCE | 22 | Unreleased reference id=2 alloc_insn=8 | 2",
                "REFERENCE | 22 | BPF_EXIT instruction in main prog would lead to reference leak | ``",
                "REFERENCE | 22 | bpf_spin_lock is missing | ``",
                "RETURN_VALUE | 22 | At program exit the register R0 has value (0x11; 0x0) should have been in (0x0; 0x1) | ``",
                "RETURN_VALUE | 22 | At program exit the register R0 has smin=17 smax=17 should have been in [0, 1] | ``",
                "NULL_POINTER | 13 | R0 invalid mem access 'map_value_or_null' | map_value_or_null",
                "NULL_POINTER | 13 | R1 type=sock_or_null expected=sock_common, sock, tcp_sock | sock_or_null",
                "NULL_POINTER | 13 | R0 pointer arithmetic on map_value_or_null prohibited, null-check it first | map_value_or_null",
                "INVALID_ACCESS | 13 | R1 invalid mem access 'scalar' | scalar",
                "INVALID_ACCESS | 13 | R1 invalid mem access 'inv' | inv",
                "INVALID_ACCESS | 13 | invalid access to packet, off=10 size=1, R1(id=0,off=10,r=0) | packet",
                "INVALID_ACCESS | 13 | invalid access to map value, value_size=8 off=8 size=8 | map value",
                "INVALID_ACCESS | 13 | invalid bpf_context access off=4096 size=4 | off=4096 size=4",
                "INVALID_ACCESS | 13 | dereference of modified ctx ptr R1 off=4096 disallowed | ctx",
                "INVALID_ACCESS | 13 | R2 min value is negative, either use unsigned or 'var &= const' | ``",
                "INVALID_ACCESS | 13 | math between map_value pointer and register with unbounded min value is not allowed | map_value",
                "INVALID_ACCESS | 13 | write into map forbidden, value_size=4 off=0 size=4 | ``",
                "INVALID_ACCESS | 22 | unreachable insn 4 | ``",
                "REGISTER | 13 | R0 !read_ok | 0",
                "REGISTER | 13 | R1 type=scalar expected=ctx | scalar",
                "MAP | 22 | cannot pass map_type 18 into func bpf_map_lookup_elem#1 | 18",
            })
    void everyTextHasOneCause(Cause cause, int errno, String line, String subject) {
        Verdict verdict = VerifierLog.classify(WALK.formatted(line), List.of(), errno);
        assertEquals(cause, verdict.cause(), verdict.toString());
        assertEquals(subject, verdict.subject());
        assertTrue(verdict.summary().contains("value->hits += 1; (connect.c:57)"), verdict.summary());
        assertEquals(cause, VerifierLog.classify(line, List.of(), errno).cause(), "without a walk");
        assertEquals(cause, VerifierLog.classify("", List.of(line), errno).cause(), "from libbpf's messages");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "1 | `` | PERMISSION",
                "12 | `` | MEMORY",
                "7 | `` | INSTRUCTION_LIMIT",
                "22 | `` | PROGRAM_TYPE",
                "77 | `` | OTHER",
                "22 | libbpf: prog 'x': missing BPF prog type, check ELF section name 'sk_skb/verdict' | PROGRAM_TYPE",
                "2 | libbpf: map 'tulle_services': failed to create: Operation not permitted(-1) | MAP",
                "3 | libbpf: kernel BTF is missing at '/sys/kernel/btf/vmlinux' | BTF",
            })
    void withoutALogTheMessagesAndTheErrorSpeak(int errno, String message, Cause cause) {
        Verdict verdict = VerifierLog.classify("", message.isEmpty() ? List.of() : List.of(message), errno);
        assertEquals(cause, verdict.cause(), verdict.toString());
        assertFalse(verdict.summary().isEmpty());
    }

    @Test
    void unknownTextsGiveTheLastLineThatSaysSomething() {
        Verdict verdict = VerifierLog.classify(WALK.formatted("a reason of the year 2031"), List.of(), 22);
        assertEquals(Cause.OTHER, verdict.cause());
        assertEquals("a reason of the year 2031, at: value->hits += 1; (connect.c:57)", verdict.summary());
    }

    @Test
    void sourceThatQuotesAReasonIsNotAReason() {
        String log = "; log(\"infinite loop detected\");\nR0 !read_ok\n";
        assertEquals(Cause.REGISTER, VerifierLog.classify(log, List.of(), 13).cause());
    }

    @Test
    void anyTextGivesOneShortLine() {
        RandomGenerator random = RandomGeneratorFactory.of("L64X128MixRandom").create(7);
        String[] words = {
            "invalid",
            "func",
            "R1",
            "\n",
            "; ",
            "mem access",
            "'",
            "#",
            "stack",
            " ",
            "\u0000",
            "of",
            "type=",
            "(",
            "0:",
            "@ a.c:1",
            "é",
            "\r\n",
            "processed 1 insns",
            "map '",
            "not allowed"
        };
        for (int i = 0; i < 20_000; i++) {
            StringBuilder log = new StringBuilder();
            int count = random.nextInt(60);
            for (int j = 0; j < count; j++) {
                log.append(words[random.nextInt(words.length)]);
            }
            Verdict verdict = VerifierLog.classify(log.toString(), List.of(log.toString()), random.nextInt(200));
            assertNotNull(verdict.cause());
            assertFalse(verdict.summary().isEmpty());
            assertTrue(verdict.summary().length() <= 300);
        }
    }

    @Test
    void aHugeLogIsReadFromItsEnd() {
        String log = "1: (07) r0 += 1                        ; R0_w=1\n".repeat(300_000)
                + "BPF program is too large. Processed 1000001 insn\nprocessed 1000001 insns (limit 1000000)\n";
        long start = System.nanoTime();
        assertEquals(
                Cause.INSTRUCTION_LIMIT, VerifierLog.classify(log, List.of(), 7).cause());
        assertTrue(System.nanoTime() - start < 2_000_000_000L);
    }
}
