package dev.tulle.kernel;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;

/**
 * One netlink(7) socket to the kernel: requests, answers, acknowledgements, dumps. Any thread; one request at a time.
 * Texts named {@code action} complete the sentence "cannot …" in errors.
 */
final class Netlink implements AutoCloseable {
    static final int NLM_F_REQUEST = 1;
    static final int NLM_F_ACK = 4;
    static final int NLM_F_REPLACE = 0x100;
    static final int NLM_F_EXCL = 0x200;
    static final int NLM_F_CREATE = 0x400;
    /** In a request for a list. */
    static final int NLM_F_DUMP = 0x300;

    static final int AF_INET = 2;
    static final int AF_INET6 = 10;

    static final int NLMSG_ERROR = 2;
    static final int NLMSG_DONE = 3;
    static final int HEADER_SIZE = 16;

    private static final int AF_NETLINK = 16;
    private static final int SOCK_RAW_CLOEXEC = 3 | 0x80000;
    private static final int SOL_NETLINK = 270;
    private static final int NETLINK_GET_STRICT_CHK = 12;
    private static final int NLM_F_DUMP_INTR = 0x10;
    private static final int ATTRIBUTE_HEADER_SIZE = 4;
    private static final int ATTRIBUTE_TYPE_MASK = 0x3fff;
    private static final int REQUEST_MAX = 256;
    /** The largest piece in which the kernel hands out lists. */
    private static final int ANSWER_MAX = 32 * 1024;
    /** Kernels answer in the call itself; answers to older requests are skipped by their number. */
    private static final int DATAGRAMS_MAX = 16;
    /** How often a list is read that changed meanwhile. */
    private static final int DUMP_ATTEMPTS = 5;

    private final Fd socket;
    private int sequence;

    /** One message of an answer; {@code body} is what follows the header, in the host's byte order. */
    record Message(int type, int flags, int number, ByteBuffer body) {
        /** The positive error number of an acknowledgement, 0 for success. */
        int error(String action) {
            if (type != NLMSG_ERROR || body.limit() < 4) {
                throw new BpfException("cannot " + action + ": the answer is of type " + type + " with " + body.limit()
                        + " bytes, expected an acknowledgement (type " + NLMSG_ERROR + ")");
            }
            return -body.getInt(0);
        }

        /** The attributes from this place in the body on, up to the first whose length cannot be. */
        Map<Integer, ByteBuffer> attributes(int from) {
            return Netlink.attributes(body, from);
        }
    }

    /** The same of bytes in the host's byte order, as a nested attribute has them. */
    static Map<Integer, ByteBuffer> attributes(ByteBuffer bytes, int from) {
        Map<Integer, ByteBuffer> found = new HashMap<>();
        int at = from;
        while (at + ATTRIBUTE_HEADER_SIZE <= bytes.limit()) {
            int length = bytes.getShort(at) & 0xffff;
            if (length < ATTRIBUTE_HEADER_SIZE || at + length > bytes.limit()) {
                break;
            }
            ByteBuffer value = bytes.slice(at + ATTRIBUTE_HEADER_SIZE, length - ATTRIBUTE_HEADER_SIZE);
            found.put(bytes.getShort(at + 2) & ATTRIBUTE_TYPE_MASK, value.order(ByteOrder.nativeOrder()));
            at += aligned(length);
        }
        return found;
    }

    /** Writes an attribute to bytes in the host's byte order. */
    static ByteBuffer put(ByteBuffer bytes, int type, byte[] value) {
        bytes.putShort((short) (ATTRIBUTE_HEADER_SIZE + value.length)).putShort((short) type);
        return bytes.put(value).position(aligned(bytes.position()));
    }

    /** A request that is being written. One thread. */
    static final class Request {
        private final byte[] raw = new byte[REQUEST_MAX];
        private final ByteBuffer bytes = ByteBuffer.wrap(raw).order(ByteOrder.nativeOrder());

        Request(int type, int flags) {
            bytes.putShort(4, (short) type).putShort(6, (short) flags).position(HEADER_SIZE);
        }

        /** Where the body goes on; in the host's byte order unless the caller changes it. */
        ByteBuffer body() {
            return bytes;
        }

        Request attribute(int type, byte[] value) {
            bytes.order(ByteOrder.nativeOrder());
            put(bytes, type, value);
            return this;
        }

        Request attribute(int type, int value) {
            ByteBuffer raw =
                    ByteBuffer.allocate(4).order(ByteOrder.nativeOrder()).putInt(value);
            return attribute(type, raw.array());
        }
    }

    private Netlink(Fd socket) {
        this.socket = socket;
    }

    /**
     * Opens a socket in this process's network namespace.
     *
     * @param protocol the kernel's subsystem, a NETLINK_ number
     * @param subject what it is for, for errors
     */
    static Netlink open(int protocol, String subject) {
        return new Netlink(Fd.own(
                LibC.socket(AF_NETLINK, SOCK_RAW_CLOEXEC, protocol),
                subject,
                "cannot open a netlink socket for " + subject));
    }

    /** Makes the kernel heed the filters of requests for lists; kernels before 4.20 cannot and list everything. */
    void filterInKernel() {
        try (Arena arena = Arena.ofConfined()) {
            var _ = LibC.setSocketOption(
                    socket.number(), SOL_NETLINK, NETLINK_GET_STRICT_CHK, arena.allocateFrom(ValueLayout.JAVA_INT, 1));
        }
    }

    /** The first message that answers a request. */
    synchronized Message ask(Request request, String action) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment buffer = arena.allocate(ANSWER_MAX, Long.BYTES);
            int number = send(request, buffer, action);
            for (int i = 0; i < DATAGRAMS_MAX; i++) {
                for (Message message : receive(buffer, action)) {
                    if (message.number() == number) {
                        return message;
                    }
                }
            }
            throw new BpfException("cannot " + action + ": no answer among " + DATAGRAMS_MAX + " datagrams");
        }
    }

    /** The positive error number with which the kernel acknowledges a request with NLM_F_ACK, 0 for success. */
    int acknowledged(Request request, String action) {
        return ask(request, action).error(action);
    }

    /**
     * The list that a request with NLM_F_DUMP asks for. A list that changed while it was read is read again; when it
     * does so each time, the last one is given, in which entries may be missing or stand twice.
     *
     * @param entry what a message of the list means, empty for one to be left out
     */
    synchronized <T> List<T> dump(Request request, Function<Message, Optional<T>> entry, String action) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment buffer = arena.allocate(ANSWER_MAX, Long.BYTES);
            List<T> found = new ArrayList<>();
            for (int attempt = 0; attempt < DUMP_ATTEMPTS; attempt++) {
                found.clear();
                if (dumpOnce(send(request, buffer, action), buffer, entry, found, action)) {
                    break;
                }
            }
            return found;
        }
    }

    /** False when the list changed meanwhile. */
    private <T> boolean dumpOnce(
            int number, MemorySegment buffer, Function<Message, Optional<T>> entry, List<T> found, String action) {
        boolean whole = true;
        while (true) {
            for (Message message : receive(buffer, action)) {
                if (message.number() != number) {
                    continue;
                }
                whole &= (message.flags() & NLM_F_DUMP_INTR) == 0;
                switch (message.type()) {
                    case NLMSG_ERROR -> throw new BpfException("cannot " + action, message.error(action));
                    case NLMSG_DONE -> {
                        int error =
                                message.body().limit() < 4 ? 0 : -message.body().getInt(0);
                        if (error > 0) {
                            throw new BpfException("cannot " + action, error);
                        }
                        return whole;
                    }
                    default -> entry.apply(message).ifPresent(found::add);
                }
            }
        }
    }

    private int send(Request request, MemorySegment buffer, String action) {
        int number = ++sequence;
        ByteBuffer bytes = request.bytes;
        int size = bytes.position();
        bytes.order(ByteOrder.nativeOrder()).putInt(0, size).putInt(8, number);
        MemorySegment message = buffer.asSlice(0, size);
        MemorySegment.copy(request.raw, 0, message, ValueLayout.JAVA_BYTE, 0, size);
        long sent = LibC.send(socket.number(), message);
        if (sent < 0) {
            throw new BpfException("cannot " + action + ": cannot send the request", (int) -sent);
        }
        return number;
    }

    private List<Message> receive(MemorySegment buffer, String action) {
        long length = LibC.receive(socket.number(), buffer);
        while (length == -Errno.EINTR) {
            length = LibC.receive(socket.number(), buffer);
        }
        if (length < 0) {
            throw new BpfException("cannot " + action + ": cannot read the answer", (int) -length);
        }
        // A copy: messages outlive the buffer.
        return messages(ByteBuffer.wrap(buffer.asSlice(0, length).toArray(ValueLayout.JAVA_BYTE)), action);
    }

    /**
     * The messages of one datagram.
     *
     * @throws BpfException when a length cannot be, as in a datagram that was cut off
     */
    static List<Message> messages(ByteBuffer datagram, String action) {
        List<Message> found = new ArrayList<>();
        ByteBuffer bytes = datagram.duplicate().order(ByteOrder.nativeOrder());
        int at = 0;
        while (at < bytes.limit()) {
            int rest = bytes.limit() - at;
            int length = rest < HEADER_SIZE ? rest : bytes.getInt(at);
            if (length < HEADER_SIZE || length > rest) {
                throw new BpfException("cannot " + action + ": a message of " + length
                        + " bytes in the answer, expected " + HEADER_SIZE + " to " + rest);
            }
            found.add(new Message(
                    bytes.getShort(at + 4) & 0xffff,
                    bytes.getShort(at + 6) & 0xffff,
                    bytes.getInt(at + 8),
                    bytes.slice(at + HEADER_SIZE, length - HEADER_SIZE).order(ByteOrder.nativeOrder())));
            at += aligned(length);
        }
        return found;
    }

    private static int aligned(int length) {
        return (length + 3) & ~3;
    }

    @Override
    public synchronized void close() {
        socket.close();
    }
}
