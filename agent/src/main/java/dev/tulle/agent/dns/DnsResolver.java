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
import java.util.concurrent.atomic.LongAdder;

/**
 * Answers questions: from the mesh when the name is a service's, else from the host's resolvers. In two steps: what is
 * known already is answered without waiting, and what is not is asked for. Thread-safe.
 */
public final class DnsResolver {
    /** What the mesh knows. Thread-safe. */
    public interface Directory {
        /** Who has this address. Never waits. */
        Asker askerAt(InetAddress source);

        /** What is known of a service without asking anybody; empty when somebody must be asked. Never waits. */
        Optional<Lookup> known(String namespace, String hostname);

        /**
         * The addresses of a service; waits until the mesh knows and the kernel is ready for them, or time is up.
         *
         * @param asker on whose account it is remembered
         */
        Lookup addressesOf(String namespace, String hostname, Asker asker);

        /** The host name of the service at an address; empty when none is known. Never waits. */
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

    /** How far a question came without waiting. */
    sealed interface Step {
        /** It is answered. */
        record Answered(DnsQuery.Bytes message) implements Step {}

        /** There must be no answer: it was an answer sent as a question, or nothing. */
        record Silent() implements Step {}

        /** Somebody has to be asked: {@link DnsResolver#finish}. */
        record Unfinished(DnsQuery query) implements Step {}
    }

    private final MeshNames names;
    private final Cidr serviceRange;
    private final boolean ipv6;
    private final Directory directory;
    private final Forwarder forwarder;
    private final DnsCache cache;
    private final Shares shares = new Shares();
    private final LongAdder meshAnswers = new LongAdder();
    private final LongAdder cacheAnswers = new LongAdder();
    private final LongAdder failed = new LongAdder();
    private final LongAdder unsent = new LongAdder();

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
     * @param unsent answers that could not be sent, as the asker had gone
     * @param askers what became of each asker's questions
     */
    public record Counts(long mesh, long cached, long forwarded, long failed, long unsent, List<AskerCounts> askers) {
        public Counts {
            askers = List.copyOf(askers);
        }

        /** Messages that were no questions. */
        public long malformed() {
            return askers.stream().mapToLong(AskerCounts::malformed).sum();
        }

        /** Questions over their askers' shares that were refused in words. */
        public long refused() {
            return askers.stream().mapToLong(AskerCounts::refused).sum();
        }

        /** Questions over their askers' shares that were not answered. */
        public long dropped() {
            return askers.stream().mapToLong(AskerCounts::dropped).sum();
        }
    }

    /**
     * What became of one asker's questions.
     *
     * @param asker the workload, or {@code other programs}
     * @param asked all of them
     * @param refused those over the share, answered with REFUSED
     * @param dropped those over the share that were not answered at all
     * @param malformed messages that were no questions
     * @param secondsSinceOver seconds since the last one over the share; {@link Long#MAX_VALUE} when there was none
     */
    public record AskerCounts(
            String asker, long asked, long refused, long dropped, long malformed, long secondsSinceOver) {}

    /** Counts since the start. */
    public Counts counts() {
        List<AskerCounts> askers = shares.counts(System.nanoTime()).stream()
                .map(one -> new AskerCounts(
                        one.asker(),
                        one.asked(),
                        one.refused(),
                        one.dropped(),
                        one.malformed(),
                        one.overNanos() == Long.MAX_VALUE ? Long.MAX_VALUE : one.overNanos() / 1_000_000_000))
                .toList();
        return new Counts(
                meshAnswers.sum(), cacheAnswers.sum(), forwarder.forwarded(), failed.sum(), unsent.sum(), askers);
    }

    /** Who asks from an address. */
    Asker askerAt(InetAddress source) {
        return directory.askerAt(source);
    }

    /** An asker's share. */
    Share shareOf(Asker asker) {
        return shares.of(asker, System.nanoTime());
    }

    /** An answer that could not be sent. */
    void unsent() {
        unsent.increment();
    }

    /**
     * Answers a message as far as that needs nobody else. Never waits.
     *
     * @param tcp true when an answer of any size can be taken
     */
    Step begin(byte[] message, Asker asker, Share share, boolean tcp) {
        DnsQuery query;
        try {
            query = DnsQuery.parse(message);
        } catch (DnsFormatException e) {
            share.malformed();
            boolean mayAnswer = message.length >= DnsQuery.HEADER && message[2] >= 0;
            return mayAnswer ? answered(DnsAnswer.formatError(message)) : new Step.Silent();
        }
        if (query.opcode() != 0) {
            return answered(DnsAnswer.error(query, DnsQuery.RCODE_NOT_IMPLEMENTED));
        }
        Sought ours = isOurs(query) ? reverseOrKnown(query, asker) : new Sought.Elsewhere();
        return switch (ours) {
            case Sought.Answer(DnsQuery.Bytes bytes) -> {
                meshAnswers.increment();
                yield answered(fitting(bytes.raw(), query, tcp));
            }
            case Sought.Later _ -> new Step.Unfinished(query);
            case Sought.Elsewhere _ ->
                cache.find(share, query)
                        .<Step>map(bytes -> {
                            cacheAnswers.increment();
                            return answered(fitting(bytes, query, tcp));
                        })
                        .orElseGet(() -> new Step.Unfinished(query));
        };
    }

    /** Answers a question by asking others. Waits. */
    byte[] finish(DnsQuery query, Asker asker, Share share, boolean tcp) {
        if (isOurs(query)) {
            Optional<byte[]> ours = fromMesh(query, asker, share);
            if (ours.isPresent()) {
                meshAnswers.increment();
                return fitting(ours.get(), query, tcp);
            }
        }
        Optional<byte[]> kept = cache.find(share, query);
        if (kept.isPresent()) {
            cacheAnswers.increment();
            return fitting(kept.get(), query, tcp);
        }
        Optional<Forwarder.Forwarded> answer = forwarder.ask(query, share);
        if (answer.isEmpty()) {
            failed.increment();
            return DnsAnswer.error(query, DnsQuery.RCODE_SERVER);
        }
        byte[] bytes = answer.get().message().copy();
        answer.get().answer().age(bytes, 0);
        cache.keep(share, query, answer.get().message(), answer.get().answer());
        return fitting(DnsCache.readdress(bytes, query), query, tcp);
    }

    /** The answer to a question over its asker's share; empty where bytes are no question. */
    Optional<byte[]> refuse(byte[] message, Share share) {
        try {
            return Optional.of(refused(DnsQuery.parse(message)));
        } catch (DnsFormatException e) {
            share.malformed();
            return Optional.empty();
        }
    }

    /** The answer to a question over its asker's share. */
    static byte[] refused(DnsQuery query) {
        return DnsAnswer.refused(
                query, "more questions than one workload's share, " + Share.QUESTIONS_PER_SECOND + " a second");
    }

    private static byte[] fitting(byte[] answer, DnsQuery query, boolean tcp) {
        return !tcp && answer.length > query.udpSize() ? DnsAnswer.truncated(query) : answer;
    }

    private static Step answered(byte[] message) {
        return new Step.Answered(new DnsQuery.Bytes(message));
    }

    private static Sought ours(byte[] message) {
        return new Sought.Answer(new DnsQuery.Bytes(message));
    }

    /** What was found without waiting. */
    private sealed interface Sought {
        /** The mesh's answer. */
        record Answer(DnsQuery.Bytes message) implements Sought {}

        /** The mesh has to be asked. */
        record Later() implements Sought {}

        /** The mesh has nothing to say. */
        record Elsewhere() implements Sought {}
    }

    /** True for questions that may be about the mesh. */
    private static boolean isOurs(DnsQuery query) {
        return query.qclass() == DnsQuery.CLASS_IN;
    }

    private Sought reverseOrKnown(DnsQuery query, Asker asker) {
        if (query.type() == DnsQuery.TYPE_PTR) {
            return reverse(query);
        }
        Meaning meaning = meaningOf(query, asker);
        for (Candidate candidate : meaning.candidates()) {
            Optional<Lookup> known = directory.known(candidate.namespace(), candidate.hostname());
            if (known.isEmpty() || known.get() instanceof Lookup.Unknown) {
                return new Sought.Later();
            }
            if (known.get() instanceof Lookup.Known(var addresses)) {
                return ours(DnsAnswer.addresses(query, ofType(query.type(), addresses)));
            }
        }
        return meaning.meshOnly() ? ours(DnsAnswer.noName(query)) : new Sought.Elsewhere();
    }

    private Meaning meaningOf(DnsQuery query, Asker asker) {
        return names.of(query.name(), asker.namespace(), forwarder.config().searchDomains());
    }

    private Optional<byte[]> fromMesh(DnsQuery query, Asker asker, Share share) {
        if (query.type() == DnsQuery.TYPE_PTR) {
            return Optional.empty();
        }
        Meaning meaning = meaningOf(query, asker);
        boolean unknown = false;
        for (Candidate candidate : meaning.candidates()) {
            Optional<Lookup> known = directory.known(candidate.namespace(), candidate.hostname());
            if (known.isEmpty() && !mayAskAnew(share)) {
                return Optional.of(refused(query));
            }
            Lookup found =
                    known.orElseGet(() -> directory.addressesOf(candidate.namespace(), candidate.hostname(), asker));
            switch (found) {
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

    /** Waits until the share may have the control plane asked for another name; false when that would take too long. */
    private static boolean mayAskAnew(Share share) {
        long now = System.nanoTime();
        long wait = share.newName(now);
        if (wait < 0) {
            share.refusal(now);
            return false;
        }
        if (wait > 0) {
            try {
                Thread.sleep(wait / 1_000_000, (int) (wait % 1_000_000));
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                return false;
            }
        }
        return true;
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

    private Sought reverse(DnsQuery query) {
        String address = query.name().reverse4();
        if (!serviceRange.contains(address)) {
            return new Sought.Elsewhere();
        }
        return ours(directory
                .hostnameOf(address)
                .map(hostname -> DnsAnswer.pointer(query, DnsName.of(hostname)))
                .orElseGet(() -> DnsAnswer.noName(query)));
    }
}
