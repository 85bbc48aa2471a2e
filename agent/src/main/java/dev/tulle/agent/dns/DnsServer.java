package dev.tulle.agent.dns;

import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.OutputStream;
import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketAddress;
import java.net.SocketException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Semaphore;

/**
 * Serves DNS over UDP and TCP on loopback addresses. One virtual thread per question; at most {@value #QUESTIONS_MAX}
 * questions and {@value #CONNECTIONS_MAX} TCP connections at once.
 */
public final class DnsServer implements AutoCloseable {
    /** Questions answered at once; further datagrams wait in the socket's buffer. */
    static final int QUESTIONS_MAX = 1024;

    /** TCP connections at once; further ones wait to be accepted. */
    static final int CONNECTIONS_MAX = 128;

    /** A TCP connection that is silent this long, in milliseconds, is closed. */
    private static final int IDLE_MILLIS = 10_000;

    private static final System.Logger LOG = System.getLogger(DnsServer.class.getName());

    private final DnsResolver resolver;
    private final List<AutoCloseable> listeners = new ArrayList<>();
    private final Set<Socket> connections = ConcurrentHashMap.newKeySet();
    private final Semaphore questions = new Semaphore(QUESTIONS_MAX);
    private final Semaphore connectionSlots = new Semaphore(CONNECTIONS_MAX);

    private DnsServer(DnsResolver resolver) {
        this.resolver = resolver;
    }

    /**
     * Opens the sockets and serves.
     *
     * @throws IOException when a socket cannot be bound; nothing stays open then
     */
    public static DnsServer start(List<InetAddress> addresses, int port, DnsResolver resolver) throws IOException {
        DnsServer server = new DnsServer(resolver);
        try {
            for (InetAddress address : addresses) {
                server.listen(new InetSocketAddress(address, port));
            }
            return server;
        } catch (IOException e) {
            server.close();
            throw e;
        }
    }

    private void listen(InetSocketAddress address) throws IOException {
        try {
            DatagramSocket udp = new DatagramSocket(null);
            listeners.add(udp);
            udp.bind(address);
            ServerSocket tcp = new ServerSocket();
            listeners.add(tcp);
            tcp.setReuseAddress(true);
            tcp.bind(address, 64);
            Thread.ofVirtual().name("dns-udp").start(() -> serveDatagrams(udp));
            Thread.ofVirtual().name("dns-tcp").start(() -> acceptLoop(tcp));
        } catch (SocketException e) {
            throw new IOException("DNS on " + address + ": " + e.getMessage(), e);
        }
    }

    private void serveDatagrams(DatagramSocket socket) {
        byte[] buffer = new byte[65_535];
        while (!socket.isClosed()) {
            try {
                DatagramPacket packet = new DatagramPacket(buffer, buffer.length);
                socket.receive(packet);
                byte[] message = java.util.Arrays.copyOf(buffer, packet.getLength());
                SocketAddress from = packet.getSocketAddress();
                questions.acquire();
                Thread.ofVirtual().name("dns-question").start(() -> answer(socket, message, (InetSocketAddress) from));
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                return;
            } catch (IOException e) {
                if (!socket.isClosed()) {
                    LOG.log(System.Logger.Level.DEBUG, "DNS over UDP: " + e.getMessage());
                }
            }
        }
    }

    private void answer(DatagramSocket socket, byte[] message, InetSocketAddress from) {
        try {
            Optional<byte[]> answer = resolver.answer(message, from.getAddress(), from.getPort(), false);
            if (answer.isPresent()) {
                socket.send(new DatagramPacket(answer.get(), answer.get().length, from));
            }
        } catch (IOException | RuntimeException e) {
            if (!socket.isClosed()) {
                LOG.log(System.Logger.Level.WARNING, "DNS question from " + from + ": " + e);
            }
        } finally {
            questions.release();
        }
    }

    private void acceptLoop(ServerSocket server) {
        while (!server.isClosed()) {
            try {
                connectionSlots.acquire();
                Socket socket = server.accept();
                connections.add(socket);
                Thread.ofVirtual().name("dns-connection").start(() -> serveConnection(socket));
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                return;
            } catch (IOException e) {
                connectionSlots.release();
                if (!server.isClosed()) {
                    LOG.log(System.Logger.Level.WARNING, "DNS over TCP: " + e.getMessage());
                }
            }
        }
    }

    private void serveConnection(Socket socket) {
        try (socket) {
            socket.setSoTimeout(IDLE_MILLIS);
            socket.setTcpNoDelay(true);
            DataInputStream in = new DataInputStream(socket.getInputStream());
            OutputStream out = socket.getOutputStream();
            while (true) {
                byte[] message = new byte[in.readUnsignedShort()];
                in.readFully(message);
                Optional<byte[]> answer = resolver.answer(message, socket.getInetAddress(), socket.getPort(), true);
                if (answer.isEmpty()) {
                    return;
                }
                byte[] bytes = answer.get();
                byte[] framed = new byte[bytes.length + 2];
                framed[0] = (byte) (bytes.length >>> 8);
                framed[1] = (byte) bytes.length;
                System.arraycopy(bytes, 0, framed, 2, bytes.length);
                out.write(framed);
            }
        } catch (EOFException e) {
            // The client is done.
        } catch (IOException | RuntimeException e) {
            LOG.log(System.Logger.Level.DEBUG, "DNS over TCP: " + e);
        } finally {
            connections.remove(socket);
            connectionSlots.release();
        }
    }

    /** Closes all sockets. */
    @Override
    public void close() {
        List<AutoCloseable> all = new ArrayList<>(listeners);
        all.addAll(connections);
        for (AutoCloseable one : all) {
            try {
                one.close();
            } catch (Exception e) {
                LOG.log(System.Logger.Level.WARNING, "DNS: close failed", e);
            }
        }
    }
}
