package dev.tulle.agent.dns;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.DatagramChannel;
import java.util.Optional;

/**
 * DNS over UDP on one address: one thread that does nothing but take datagrams out of the socket and hand them on, so that
 * the socket's buffer, which all share, does not fill.
 */
final class DnsDatagrams implements AutoCloseable {
    /** Bytes that may wait in the socket; the kernel may allow less. */
    private static final int BUFFER = 4 << 20;

    private final DatagramChannel channel;
    private final DnsResolver resolver;
    private final QuestionDesk desk;

    private DnsDatagrams(DatagramChannel channel, DnsResolver resolver, QuestionDesk desk) {
        this.channel = channel;
        this.resolver = resolver;
        this.desk = desk;
    }

    /**
     * Binds and serves.
     *
     * @throws IOException when the address cannot be bound
     */
    static DnsDatagrams start(InetSocketAddress address, DnsResolver resolver, QuestionDesk desk) throws IOException {
        DatagramChannel channel = DatagramChannel.open();
        try {
            channel.setOption(StandardSocketOptions.SO_RCVBUF, BUFFER);
            channel.bind(address);
        } catch (IOException e) {
            channel.close();
            throw e;
        }
        DnsDatagrams datagrams = new DnsDatagrams(channel, resolver, desk);
        Thread.ofPlatform().name("dns-udp").daemon().start(datagrams::serve);
        return datagrams;
    }

    private void serve() {
        // One byte more than a question may have, so that a longer one is seen to be one.
        ByteBuffer buffer = ByteBuffer.allocateDirect(DnsQuery.MESSAGE_MAX + 1);
        while (channel.isOpen()) {
            try {
                buffer.clear();
                if (channel.receive(buffer) instanceof InetSocketAddress from) {
                    buffer.flip();
                    byte[] message = new byte[buffer.remaining()];
                    buffer.get(message);
                    Asker asker = resolver.askerAt(from.getAddress());
                    desk.submit(new Question(
                            new DnsQuery.Bytes(message),
                            asker,
                            resolver.shareOf(asker),
                            false,
                            System.nanoTime(),
                            answer -> reply(answer, from)));
                }
            } catch (IOException e) {
                // Closed, or an error that the kernel reports of an earlier answer: neither says anything of the next
                // one.
                resolver.unsent();
            } catch (RuntimeException e) {
                // A defect that one message shows must not end the thread that reads all of them.
                desk.tell(e);
            }
        }
    }

    private void reply(Optional<byte[]> answer, InetSocketAddress to) {
        if (answer.isPresent()) {
            try {
                channel.send(ByteBuffer.wrap(answer.get()), to);
            } catch (IOException e) {
                // The asker has gone, or its address has.
                resolver.unsent();
            }
        }
    }

    @Override
    public void close() throws IOException {
        channel.close();
    }
}
