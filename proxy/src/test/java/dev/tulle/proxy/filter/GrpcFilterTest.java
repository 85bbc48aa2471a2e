package dev.tulle.proxy.filter;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;

class GrpcFilterTest {
    /** Messages are counted once they are whole, however the body is cut. */
    @Test
    void messagesAreCountedHoweverTheyAreCut() {
        Random random = new Random(20181101);
        for (int round = 0; round < 200; round++) {
            ByteBuf body = Unpooled.buffer();
            int messages = random.nextInt(20);
            for (int i = 0; i < messages; i++) {
                int size = random.nextInt(5) == 0 ? 0 : random.nextInt(random.nextBoolean() ? 10 : 70_000);
                body.writeByte(random.nextInt(2)).writeInt(size).writeZero(size);
            }
            GrpcMessages counted = new GrpcMessages();
            long before = 0;
            while (body.isReadable()) {
                int cut = Math.min(body.readableBytes(), 1 + random.nextInt(random.nextBoolean() ? 3 : 20_000));
                counted.pass(body.readSlice(cut));
                assertEquals(true, counted.count() >= before);
                before = counted.count();
            }
            assertEquals(messages, counted.count(), "round " + round);
            counted.pass(Unpooled.wrappedBuffer(new byte[] {0, 0, 0, 0, 2, 1}));
            assertEquals(messages, counted.count(), "one that is not whole");
            body.release();
        }
    }

    @Test
    void deadlinesAreReadAsGrpcWritesThem() {
        Map<String, Long> written = Map.of(
                "1H", 3_600_000_000_000L,
                "2M", 120_000_000_000L,
                "3S", 3_000_000_000L,
                "99999999m", 99_999_999_000_000L,
                "7u", 7_000L,
                "8n", 8L,
                "0S", 0L,
                "123456789m", 0L,
                "5", 0L,
                "-5S", 0L);
        written.forEach((text, nanos) -> assertEquals(nanos, GrpcFilter.nanos(text), text));
        assertEquals(0, GrpcFilter.nanos(""));
        assertEquals(0, GrpcFilter.nanos("S"));
        assertEquals(0, GrpcFilter.nanos("5s"));
    }
}
