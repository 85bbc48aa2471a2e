package dev.tulle.agent.dns;

import java.util.ArrayList;
import java.util.List;

/**
 * Reads a message strictly; every way to be wrong is a {@link DnsFormatException}. The work is linear in the bytes: names
 * whose text nobody needs are passed over without following their pointers, and where they are followed the steps are
 * bounded. Not thread-safe.
 */
final class DnsReader {
    /** The longest name, in bytes on the wire. */
    private static final int NAME_MAX = 255;

    /** Pointers followed for one name; what servers write needs one for each label that differs, at most. */
    private static final int POINTERS_MAX = 32;

    private final byte[] message;
    private int position;

    DnsReader(byte[] message) {
        this.message = message;
    }

    int position() {
        return position;
    }

    int left() {
        return message.length - position;
    }

    int u8() throws DnsFormatException {
        if (position >= message.length) {
            throw new DnsFormatException("the message ends early, at byte " + position);
        }
        return message[position++] & 255;
    }

    int u16() throws DnsFormatException {
        return u8() << 8 | u8();
    }

    long u32() throws DnsFormatException {
        return (long) u16() << 16 | u16();
    }

    void skip(int bytes) throws DnsFormatException {
        if (bytes > left()) {
            throw new DnsFormatException("the message ends early: " + bytes + " bytes expected, " + left() + " left");
        }
        position += bytes;
    }

    byte[] take(int bytes) throws DnsFormatException {
        int start = position;
        skip(bytes);
        return java.util.Arrays.copyOfRange(message, start, position);
    }

    /** Passes over a name, whose labels must fit; a pointer ends it, must lead backwards, and is not followed. */
    void skipName() throws DnsFormatException {
        int start = position;
        while (true) {
            int head = u8();
            if (head == 0) {
                return;
            }
            if (head >= 192) {
                int target = (head & 63) << 8 | u8();
                if (target >= start) {
                    throw new DnsFormatException("a name's pointer leads forward, to byte " + target);
                }
                return;
            }
            if (head > 63) {
                throw new DnsFormatException("a label of unknown kind " + head);
            }
            skip(head);
            if (position - start >= NAME_MAX) {
                throw new DnsFormatException("a name is too long, at byte " + position);
            }
        }
    }

    /** Reads a name. Pointers must lead backwards, so that no message can make a loop. */
    DnsName name() throws DnsFormatException {
        List<String> labels = new ArrayList<>();
        int length = 1;
        int pointers = 0;
        int at = position;
        int end = -1;
        int bound = position;
        while (true) {
            if (at >= message.length) {
                throw new DnsFormatException("a name ends early, at byte " + at);
            }
            int head = message[at++] & 255;
            if (head == 0) {
                position = end < 0 ? at : end;
                return new DnsName(labels);
            }
            if (head >= 192) {
                if (at >= message.length) {
                    throw new DnsFormatException("a name's pointer ends early, at byte " + at);
                }
                int target = (head & 63) << 8 | (message[at++] & 255);
                if (target >= bound) {
                    throw new DnsFormatException("a name's pointer leads forward, to byte " + target);
                }
                if (++pointers > POINTERS_MAX) {
                    throw new DnsFormatException("a name of more than " + POINTERS_MAX + " pointers");
                }
                end = end < 0 ? at : end;
                bound = target;
                at = target;
                continue;
            }
            if (head > 63) {
                throw new DnsFormatException("a label of unknown kind " + head);
            }
            length += head + 1;
            if (length > NAME_MAX || at + head > message.length) {
                throw new DnsFormatException("a name is too long or ends early, at byte " + at);
            }
            StringBuilder label = new StringBuilder(head);
            for (int i = 0; i < head; i++) {
                int c = message[at + i] & 255;
                label.append((char) (c >= 'A' && c <= 'Z' ? c + 32 : c));
            }
            labels.add(label.toString());
            at += head;
        }
    }
}
