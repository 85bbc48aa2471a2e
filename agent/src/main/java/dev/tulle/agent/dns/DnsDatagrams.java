package dev.tulle.agent.dns;

import dev.tulle.kernel.UdpPort;
import dev.tulle.kernel.UdpReceiver;
import java.net.InetSocketAddress;
import java.util.Optional;

/**
 * DNS over UDP on one socket: one thread that does nothing but take datagrams out of it and hand them on, so that its
 * buffer, which all share, does not fill.
 */
final class DnsDatagrams implements UdpReceiver.Handler {
    private final UdpPort port;
    private final DnsResolver resolver;
    private final QuestionDesk desk;

    private DnsDatagrams(UdpPort port, DnsResolver resolver, QuestionDesk desk) {
        this.port = port;
        this.resolver = resolver;
        this.desk = desk;
    }

    /** Serves the socket. */
    static UdpReceiver start(UdpPort port, DnsResolver resolver, QuestionDesk desk) {
        // One byte more than a question may have, so that a longer one is seen to be one.
        return UdpReceiver.start("dns-udp", port, DnsQuery.MESSAGE_MAX + 1, new DnsDatagrams(port, resolver, desk));
    }

    @Override
    public void received(byte[] message, InetSocketAddress from) {
        try {
            Asker asker = resolver.askerAt(from.getAddress());
            desk.submit(new Question(
                    new DnsQuery.Bytes(message),
                    asker,
                    resolver.shareOf(asker),
                    false,
                    System.nanoTime(),
                    answer -> reply(answer, from)));
        } catch (RuntimeException e) {
            // A defect that one message shows must not end the thread that reads all of them.
            desk.tell(e);
        }
    }

    @Override
    public void failed() {
        resolver.unsent();
    }

    private void reply(Optional<byte[]> answer, InetSocketAddress to) {
        // The asker may have gone, or its address.
        if (answer.isPresent() && !port.send(answer.get(), to)) {
            resolver.unsent();
        }
    }
}
