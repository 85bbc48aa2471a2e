package dev.tulle.kernel;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandles;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.util.Arrays;
import java.util.random.RandomGenerator;
import java.util.random.RandomGeneratorFactory;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * Goal: no bytes make the BTF parser or the codec fail in any way but by its own exception. Method: real BTF with seeded
 * mutations, built type graphs that try to explode, and values at the edges of each field.
 */
@Timeout(120)
class BtfFuzzTest {
    private static final long SEED = 20261121;
    private static byte[] good = new byte[0];

    @BeforeAll
    static void readTheSample() throws Exception {
        byte[] elf = Files.readAllBytes(TestObjects.sample());
        ByteBuffer bytes = ByteBuffer.wrap(elf).order(ByteOrder.LITTLE_ENDIAN);
        int sections = (int) bytes.getLong(40);
        int count = bytes.getShort(60);
        int names = (int) bytes.getLong(sections + 64 * bytes.getShort(62) + 24);
        for (int i = 0; i < count; i++) {
            int header = sections + 64 * i;
            int name = names + bytes.getInt(header);
            if (new String(elf, name, 5, StandardCharsets.US_ASCII).equals(".BTF\0")) {
                int offset = (int) bytes.getLong(header + 24);
                good = Arrays.copyOfRange(elf, offset, offset + (int) bytes.getLong(header + 32));
            }
        }
        assertTrue(good.length > 100);
        assertEquals(40, Btf.parse(good).struct("workload").orElseThrow().size());
    }

    private static RandomGenerator random() {
        return RandomGeneratorFactory.of("L64X128MixRandom").create(SEED);
    }

    private static void readAll(byte[] bytes) {
        try {
            Btf btf = Btf.parse(bytes);
            for (String name : new String[] {"workload", "service_key", "event", "addr", ""}) {
                btf.struct(name)
                        .ifPresent(layout -> assertTrue(layout.describe().length() > 2));
            }
            assertTrue(btf.enumConstants("sample_reason").size() < 70_000);
            for (int id = 0; id < 200; id++) {
                RecordLayout.of(btf, id);
            }
        } catch (BtfFormatException e) {
            assertTrue(String.valueOf(e.getMessage()).length() > 10, e.toString());
        }
    }

    @Test
    void mutatedBytes() {
        RandomGenerator random = random();
        for (int i = 0; i < 20_000; i++) {
            byte[] bytes = good.clone();
            int changes = 1 + random.nextInt(8);
            for (int j = 0; j < changes; j++) {
                int at = random.nextInt(random.nextBoolean() ? Math.min(400, bytes.length) : bytes.length);
                bytes[at] = (byte) (random.nextBoolean() ? random.nextInt(256) : bytes[at] + random.nextInt(3) - 1);
            }
            readAll(bytes);
        }
    }

    @Test
    void cutAndRandomBytes() {
        RandomGenerator random = random();
        for (int length = 0; length < good.length; length += 7) {
            readAll(Arrays.copyOf(good, length));
        }
        for (int i = 0; i < 5_000; i++) {
            byte[] bytes = new byte[random.nextInt(300)];
            random.nextBytes(bytes);
            if (bytes.length > 24) {
                System.arraycopy(good, 0, bytes, 0, 8);
            }
            readAll(bytes);
        }
    }

    /** Struct number n has two members of struct n-1: forty of them would be a trillion fields. */
    @Test
    void typeGraphsThatExplodeAreRefused() {
        ByteBuffer types = ByteBuffer.allocate(4096).order(ByteOrder.nativeOrder());
        types.putInt(0).putInt(4 << 24).putInt(0); // type 1: an empty struct
        for (int id = 2; id < 32; id++) {
            types.putInt(0).putInt((4 << 24) | 2).putInt(0);
            types.putInt(0).putInt(id - 1).putInt(0);
            types.putInt(0).putInt(id - 1).putInt(0);
        }
        byte[] bytes = btf(types);
        assertThrows(BtfFormatException.class, () -> RecordLayout.of(Btf.parse(bytes), 31));
        ByteBuffer cycle = ByteBuffer.allocate(64).order(ByteOrder.nativeOrder());
        cycle.putInt(0).putInt(8 << 24).putInt(2); // typedef of 2
        cycle.putInt(0).putInt(8 << 24).putInt(1); // typedef of 1
        byte[] around = btf(cycle);
        assertThrows(BtfFormatException.class, () -> RecordLayout.of(Btf.parse(around), 1));
        ByteBuffer self = ByteBuffer.allocate(64).order(ByteOrder.nativeOrder());
        self.putInt(0).putInt((4 << 24) | 1).putInt(8); // a struct that holds itself
        self.putInt(0).putInt(1).putInt(0);
        byte[] inside = btf(self);
        assertThrows(BtfFormatException.class, () -> RecordLayout.of(Btf.parse(inside), 1));
    }

    private static byte[] btf(ByteBuffer types) {
        int length = types.position();
        ByteBuffer all = ByteBuffer.allocate(24 + length + 1).order(ByteOrder.nativeOrder());
        all.putShort((short) 0xeB9F).put((byte) 1).put((byte) 0).putInt(24);
        all.putInt(0).putInt(length).putInt(length).putInt(1);
        all.put(types.flip()).put((byte) 0);
        return all.array();
    }

    record Event(long ts, long cgroup, int pid, int reason, String comm) {}

    @Test
    void recordsSurviveTheCodec() {
        RecordLayout layout = Btf.parse(good).struct("event").orElseThrow();
        RecordCodec<Event> codec = RecordCodec.of(MethodHandles.lookup(), Event.class, layout);
        RandomGenerator random = random();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment memory = arena.allocate(codec.size());
            for (int i = 0; i < 20_000; i++) {
                Event event = new Event(
                        random.nextLong(),
                        random.nextLong(),
                        random.nextInt(),
                        random.nextInt(),
                        "x".repeat(random.nextInt(16)));
                codec.encode(event, memory);
                assertEquals(event, codec.decode(memory));
            }
            Event tooLong = new Event(0, 0, 0, 0, "x".repeat(16));
            assertThrows(IllegalArgumentException.class, () -> codec.encode(tooLong, memory));
            memory.fill((byte) 0xff); // a text without its NUL
            assertTrue(codec.decode(memory).comm().length() >= 16 / 4);
        }
    }

    @Test
    void integersAreCheckedNotCut() {
        RecordLayout layout = Btf.parse(good).struct("service_key").orElseThrow();
        RecordLayout.Field port = layout.u16("port");
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment memory = arena.allocate(layout.size());
            for (long value : new long[] {0, 1, 255, 256, 65535}) {
                port.set(memory, value);
                assertEquals(value, port.get(memory));
            }
            for (long value : new long[] {-1, 65536, Long.MAX_VALUE, Long.MIN_VALUE}) {
                assertThrows(IllegalArgumentException.class, () -> port.set(memory, value));
            }
            port.setBigEndian(memory, 0x1234);
            assertEquals(0x12, memory.get(ValueLayout.JAVA_BYTE, port.offset()));
            assertEquals(0x1234, port.getBigEndian(memory));
            assertEquals(0, memory.get(ValueLayout.JAVA_BYTE, port.offset() + 2L), "the neighbour is untouched");
        }
        assertThrows(LayoutException.class, () -> layout.u32("port"));
        assertThrows(LayoutException.class, () -> layout.struct("port"));
    }
}
