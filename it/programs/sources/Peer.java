import java.io.IOException;
import java.io.InputStream;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;

/** The exchange of peer.py: Peer serve virtual|nio PORT, Peer send platform|virtual|nio HOST PORT [BYTES]. */
public final class Peer {
    private static final int ANSWER = 2_000_000;

    private Peer() {}

    public static void main(String[] words) throws Exception {
        int size = words.length > 4 ? Integer.parseInt(words[4]) : 5_000_000;
        switch (words[0] + " " + words[1]) {
            case "serve virtual" -> serveVirtual(Integer.parseInt(words[2]));
            case "serve nio" -> serveNio(Integer.parseInt(words[2]));
            case "send platform" -> send(words[2], Integer.parseInt(words[3]), size);
            case "send virtual" -> virtually(words[2], Integer.parseInt(words[3]), size);
            case "send nio" -> sendNio(words[2], Integer.parseInt(words[3]), size);
            default -> throw new IllegalArgumentException(String.join(" ", words));
        }
    }

    private static byte[] pattern(int size) {
        byte[] out = new byte[size];
        for (int i = 0; i < size; i++) {
            out[i] = (byte) (i % 251);
        }
        return out;
    }

    private static String heard(byte[] data) throws Exception {
        return data.length + " " + HexFormat.of().formatHex(MessageDigest.getInstance("MD5").digest(data)) + "\n";
    }

    private static byte[] answer(byte[] question) throws Exception {
        byte[] line = heard(question).getBytes();
        byte[] all = Arrays.copyOf(line, line.length + ANSWER);
        System.arraycopy(pattern(ANSWER), 0, all, line.length, ANSWER);
        return all;
    }

    private static void tell(byte[] question, byte[] got) throws Exception {
        int cut = 0;
        while (cut < got.length && got[cut] != '\n') {
            cut++;
        }
        String line = new String(got, 0, Math.min(cut + 1, got.length));
        boolean right = cut < got.length && Arrays.equals(pattern(ANSWER), Arrays.copyOfRange(got, cut + 1, got.length));
        System.out.println("sent " + question.length + " " + (line.equals(heard(question)) ? "heard" : line.strip())
                + " answer " + right);
    }

    private static void serveVirtual(int port) throws Exception {
        try (ServerSocket listener = new ServerSocket(port, 50);
                var each = Executors.newVirtualThreadPerTaskExecutor()) {
            while (true) {
                Socket connection = listener.accept();
                each.submit(() -> {
                    try (connection) {
                        connection.getOutputStream().write(answer(connection.getInputStream().readAllBytes()));
                    }
                    return null;
                });
            }
        }
    }

    private static void send(String host, int port, int size) throws Exception {
        byte[] question = pattern(size);
        try (Socket connection = new Socket(host, port)) {
            connection.getOutputStream().write(question);
            connection.shutdownOutput();
            InputStream in = connection.getInputStream();
            tell(question, in.readAllBytes());
        } catch (IOException failure) {
            System.out.println("fails: " + failure.getMessage());
        }
    }

    private static void virtually(String host, int port, int size) throws InterruptedException, ExecutionException {
        try (var each = Executors.newVirtualThreadPerTaskExecutor()) {
            each.submit(() -> {
                        send(host, port, size);
                        return null;
                    })
                    .get();
        }
    }

    /** One thread for all connections; each key's attachment is what is read and what is still to be written. */
    private static void serveNio(int port) throws Exception {
        Selector selector = Selector.open();
        ServerSocketChannel listener = ServerSocketChannel.open();
        listener.bind(new InetSocketAddress(port), 50).configureBlocking(false);
        listener.register(selector, SelectionKey.OP_ACCEPT);
        while (true) {
            selector.select();
            for (SelectionKey key : selector.selectedKeys()) {
                if (key.isAcceptable()) {
                    SocketChannel connection = listener.accept();
                    connection.configureBlocking(false);
                    connection.setOption(StandardSocketOptions.TCP_NODELAY, true);
                    connection.register(selector, SelectionKey.OP_READ, ByteBuffer.allocate(32_000_000));
                } else {
                    serveOnce(key);
                }
            }
            selector.selectedKeys().clear();
        }
    }

    private static void serveOnce(SelectionKey key) throws Exception {
        SocketChannel connection = (SocketChannel) key.channel();
        ByteBuffer buffer = (ByteBuffer) key.attachment();
        if (key.isReadable() && connection.read(buffer) < 0) {
            key.attach(ByteBuffer.wrap(answer(Arrays.copyOf(buffer.array(), buffer.position()))));
            key.interestOps(SelectionKey.OP_WRITE);
        } else if (key.isWritable()) {
            connection.write(buffer);
            if (!buffer.hasRemaining()) {
                connection.close();
            }
        }
    }

    private static void sendNio(String host, int port, int size) throws Exception {
        byte[] question = pattern(size);
        Selector selector = Selector.open();
        SocketChannel connection = SocketChannel.open();
        connection.configureBlocking(false);
        connection.connect(new InetSocketAddress(host, port));
        SelectionKey key = connection.register(selector, SelectionKey.OP_CONNECT);
        ByteBuffer out = ByteBuffer.wrap(question);
        ByteBuffer in = ByteBuffer.allocate(2 * ANSWER);
        while (true) {
            selector.select();
            selector.selectedKeys().clear();
            if (key.isConnectable()) {
                connection.finishConnect();
                key.interestOps(SelectionKey.OP_WRITE | SelectionKey.OP_READ);
            } else if (key.isReadable() && connection.read(in) < 0) {
                break;
            } else if (key.isWritable() && out.hasRemaining()) {
                connection.write(out);
                if (!out.hasRemaining()) {
                    connection.shutdownOutput();
                    key.interestOps(SelectionKey.OP_READ);
                }
            }
        }
        tell(question, Arrays.copyOf(in.array(), in.position()));
        connection.close();
    }
}
