package dev.tulle.agent.dns;

import dev.tulle.agent.dns.MeshNames.Candidate;
import dev.tulle.agent.dns.MeshNames.Meaning;
import dev.tulle.common.Cidr;
import dev.tulle.common.Ip;
import java.net.InetAddress;
import java.nio.file.Path;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Answers one question: from the mesh when the name is a service's, else from the host's resolvers. Blocks the calling
 * (virtual) thread; thread-safe.
 */
public final class DnsResolver {
    /** What the mesh knows. */
    public interface Directory {
        /** The namespace of the workload that has this address; {@code default} for anybody else. */
        String namespaceOf(InetAddress source, int port);

        /** The addresses of a service; blocks until the mesh knows and the kernel is ready for them, or time is up. */
        Lookup addressesOf(String namespace, String hostname);

        /** The host name of the service at an address; empty when none is known. */
        Optional<String> hostnameOf(String address);
    }

    /** What the mesh says about a service. */
    public sealed interface Lookup {
        /** It exists, with these addresses in text form. */
        record Known(List<String> addresses) implements Lookup {
            public Known {
                addresses = List.copyOf(addresses);
            }
        }

        /** It does not exist. */
        record Absent() implements Lookup {}

        /** Nobody can say in time. */
        record Unknown() implements Lookup {}
    }

    private final MeshNames names;
    private final Cidr serviceRange;
    private final boolean ipv6;
    private final Directory directory;
    private final Forwarder forwarder;
    private final DnsCache cache;
    private final AtomicLong meshAnswers = new AtomicLong();
    private final AtomicLong cacheAnswers = new AtomicLong();
    private final AtomicLong formatErrors = new AtomicLong();

    /**
     * A resolver.
     *
     * @param names how names are read
     * @param serviceRange the services' range: reverse questions about it are not passed on
     * @param ipv6 whether IPv6 addresses may be answered
     * @param resolverFile the host's resolver configuration
     * @param resolverPort 53 but in tests
     */
    public DnsResolver(
            MeshNames names,
            Cidr serviceRange,
            boolean ipv6,
            Directory directory,
            Path resolverFile,
            int resolverPort,
            InstantSource clock) {
        this.names = names;
        this.serviceRange = serviceRange;
        this.ipv6 = ipv6;
        this.directory = directory;
        this.forwarder = new Forwarder(resolverFile, resolverPort);
        this.cache = new DnsCache(clock);
    }

    /**
     * Counts since the start.
     *
     * @param mesh answers about the mesh
     * @param cached answers of the host's resolvers given again
     * @param forwarded questions that the host's resolvers answered
     * @param failed questions that nobody answered
     * @param malformed messages that were no questions
     */
    public record Counts(long mesh, long cached, long forwarded, long failed, long malformed) {}

    /** Counts since the start. */
    public Counts counts() {
        long[] upstream = forwarder.counts();
        return new Counts(meshAnswers.get(), cacheAnswers.get(), upstream[0], upstream[1], formatErrors.get());
    }

    /**
     * Answers a message.
     *
     * @param source who asked, address and port
     * @param tcp true when an answer of any size can be taken
     * @return the answer; empty when there must be none (an answer sent as a question)
     */
    public Optional<byte[]> answer(byte[] message, InetAddress source, int port, boolean tcp) {
        DnsQuery query;
        try {
            query = DnsQuery.parse(message);
        } catch (DnsFormatException e) {
            formatErrors.incrementAndGet();
            boolean mayAnswer = message.length >= DnsQuery.HEADER && message[2] >= 0;
            return mayAnswer ? Optional.of(DnsAnswer.formatError(message)) : Optional.empty();
        }
        byte[] answer = answer(message, query, source, port);
        int limit = tcp ? 65_535 : query.udpSize();
        return Optional.of(answer.length > limit ? DnsAnswer.truncated(query) : answer);
    }

    private byte[] answer(byte[] message, DnsQuery query, InetAddress source, int port) {
        if (query.opcode() != 0) {
            return DnsAnswer.error(query, DnsQuery.RCODE_NOT_IMPLEMENTED);
        }
        if (query.qclass() == DnsQuery.CLASS_IN) {
            Optional<byte[]> ours = query.type() == DnsQuery.TYPE_PTR
                    ? reverse(query)
                    : fromMesh(query, directory.namespaceOf(source, port));
            if (ours.isPresent()) {
                meshAnswers.incrementAndGet();
                return ours.get();
            }
        }
        Optional<byte[]> kept = cache.find(query);
        if (kept.isPresent()) {
            cacheAnswers.incrementAndGet();
            return kept.get();
        }
        return forwarder
                .ask(message, query)
                .map(forwarded -> {
                    byte[] bytes = forwarded.message().copy();
                    cache.keep(query, bytes, forwarded.answer());
                    return DnsCache.readdress(bytes, query);
                })
                .orElseGet(() -> DnsAnswer.error(query, DnsQuery.RCODE_SERVER));
    }

    private Optional<byte[]> fromMesh(DnsQuery query, String namespace) {
        Meaning meaning = names.of(query.name(), namespace, forwarder.config().searchDomains());
        boolean unknown = false;
        for (Candidate candidate : meaning.candidates()) {
            switch (directory.addressesOf(candidate.namespace(), candidate.hostname())) {
                case Lookup.Known(var addresses) -> {
                    return Optional.of(DnsAnswer.addresses(query, ofType(query.type(), addresses)));
                }
                case Lookup.Absent _ -> {}
                case Lookup.Unknown _ -> unknown = true;
            }
        }
        // While nobody can say whether a mesh name exists, "it does not" would be a lie that is kept.
        boolean ours = meaning.meshOnly() || query.name().labels().size() == 1;
        if (unknown && ours) {
            return Optional.of(DnsAnswer.error(query, DnsQuery.RCODE_SERVER));
        }
        return meaning.meshOnly() ? Optional.of(DnsAnswer.noName(query)) : Optional.empty();
    }

    private List<byte[]> ofType(int type, List<String> addresses) {
        List<byte[]> found = new ArrayList<>();
        for (String text : addresses) {
            byte[] raw = Ip.parse(text).map(InetAddress::getAddress).orElse(new byte[0]);
            if ((type == DnsQuery.TYPE_A && raw.length == 4)
                    || (type == DnsQuery.TYPE_AAAA && raw.length == 16 && ipv6)) {
                found.add(raw);
            }
        }
        return found;
    }

    private Optional<byte[]> reverse(DnsQuery query) {
        String address = query.name().reverse4();
        if (!serviceRange.contains(address)) {
            return Optional.empty();
        }
        return Optional.of(directory
                .hostnameOf(address)
                .map(hostname -> DnsAnswer.pointer(query, DnsName.of(hostname)))
                .orElseGet(() -> DnsAnswer.noName(query)));
    }
}
