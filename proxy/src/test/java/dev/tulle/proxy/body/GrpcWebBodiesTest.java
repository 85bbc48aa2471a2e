package dev.tulle.proxy.body;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Base64;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What bodies of gRPC-Web are made of: Base64 in parts, and trailers behind the messages. */
class GrpcWebBodiesTest extends Piped {
    @Test
    void base64IsWrittenAndReadInAnyPieces() {
        Random random = new Random(3);
        for (int size : new int[] {0, 1, 2, 3, 4, 5, 1000, 100_000}) {
            byte[] body = body(size, size);
            BodyPipe writer = pipe(new Base64Writer(memory));
            for (int at = 0; at < size; ) {
                int n = Math.min(size - at, random.nextInt(size < 100 ? 2 : 70_000) + 1);
                pass(writer, body, at, at + n);
                at += n;
            }
            end(writer, "");
            assertEquals(Base64.getEncoder().encodeToString(body), text(out.toByteArray()));
            byte[] written = out.toByteArray();
            out.reset();
            BodyPipe reader = pipe(new Base64Reader(memory));
            for (int at = 0; at < written.length; ) {
                int n = Math.min(written.length - at, random.nextInt(size < 100 ? 3 : 70_000) + 1);
                pass(reader, written, at, at + n);
                at += n;
            }
            assertArrayEquals(bytes("x: y\r\n"), end(reader, "x: y\r\n"));
            assertArrayEquals(body, out.toByteArray());
            assertTrue(largest <= BodyChange.PIECE, "pieces of " + largest);
            out.reset();
        }
    }

    @Test
    void partsOfBase64ArePaddedWhereNothingFollowsAtOnce() {
        BodyPipe writer = pipe(new Base64Writer(memory));
        pass(writer, bytes("a"), 0, 1);
        assertEquals("", text(out.toByteArray()));
        writer.flush(this::give);
        assertEquals("YQ==", text(out.toByteArray()));
        pass(writer, bytes("bc"), 0, 2);
        writer.flush(this::give);
        pass(writer, bytes("def"), 0, 3);
        writer.flush(this::give);
        end(writer, "");
        String written = text(out.toByteArray());
        assertEquals("YQ==YmM=ZGVm", written);
        out.reset();
        BodyPipe reader = pipe(new Base64Reader(memory));
        pass(reader, bytes(written), 0, written.length());
        end(reader, "");
        assertEquals("abcdef", text(out.toByteArray()));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "A",
                "AA",
                "AAA",
                "A===",
                "====",
                "=AAA",
                "AA=A",
                "AAA=A",
                "AB==",
                "AAB=",
                "AA A",
                "AA-_",
                "AAA\n",
                "\u00ffAAA"
            })
    void whatIsNoBase64IsRefused(String text) {
        BodyPipe reader = pipe(new Base64Reader(memory));
        BrokenBodyException why = assertThrows(BrokenBodyException.class, () -> {
            pass(reader, bytes(text), 0, text.length());
            reader.end(new byte[0]);
            reader.drain(this::give);
        });
        assertEquals(400, why.status());
        reader.close();
        assertEquals(0, memory.metric().usedDirectMemory());
    }

    @Test
    void trailersFollowInTheBody() {
        BodyPipe pipe = pipe(new TrailersFrame(memory));
        pass(pipe, bytes("messages"), 0, 8);
        assertEquals(0, end(pipe, "Grpc-Status: 0\r\ngrpc-message: a: b\r\nx-a:\r\n").length);
        String lines = "grpc-status:0\r\ngrpc-message:a: b\r\nx-a:\r\n";
        assertEquals("messages\u0080\0\0\0" + (char) lines.length() + lines, text(out.toByteArray()));
    }

    @Test
    void severalChangesFollowEachOther() {
        BodyPipe pipe = pipe(new TrailersFrame(memory), new Base64Writer(memory), new Base64Reader(memory));
        pass(pipe, bytes("m"), 0, 1);
        pipe.flush(this::give);
        assertEquals("m", text(out.toByteArray()));
        end(pipe, "a: b\r\n");
        assertEquals("m\u0080\0\0\0\u0005a:b\r\n", text(out.toByteArray()));
    }
}
