package dev.tulle.agent.dns;

import dev.tulle.agent.dns.DnsResolver.Step;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Where all questions come together: each is admitted or refused by its asker's share, waits for one of
 * {@value #WORKERS} threads, which take them from the askers in turn, and is answered there if nobody has to be asked;
 * else it goes on in a virtual thread of its own, so many of each asker at a time. Thread-safe.
 */
final class QuestionDesk implements AutoCloseable {
    /** Threads that answer what is known. */
    private static final int WORKERS = 2;

    /** Questions of one asker that wait for a thread. */
    static final int WAITING_MAX = 64;

    /** Questions that wait for the control plane or the host's resolvers, of all askers together. */
    static final int UNDER_WAY_MAX = 512;

    /** How many of these each asker may have in any case. */
    static final int UNDER_WAY_FLOOR = 4;

    /** Questions of one asker that wait for one of his others to end. */
    static final int SLOW_WAITING_MAX = 256;

    /** By then the asker has given up, so that an answer would be for nobody; in nanoseconds. */
    private static final long TOO_LATE = 5_000_000_000L;

    private static final long TOLD_EVERY = 60_000_000_000L;
    private static final System.Logger LOG = System.getLogger(QuestionDesk.class.getName());

    private final DnsResolver resolver;
    private final RoundRobin<Share, Question> ready = new RoundRobin<>(WAITING_MAX);
    private final SlowLane<Share, Slow> slow =
            new SlowLane<>(new FairSlots<>(UNDER_WAY_MAX, UNDER_WAY_FLOOR), SLOW_WAITING_MAX);
    private final List<Thread> workers = new ArrayList<>();
    /** Questions that have been taken in and not been answered. */
    private final Pending pending = new Pending();

    private final AtomicLong toldNanos = new AtomicLong(System.nanoTime() - TOLD_EVERY);

    /** A question that somebody else must be asked for. */
    private record Slow(Question question, DnsQuery query) {}

    QuestionDesk(DnsResolver resolver) {
        this.resolver = resolver;
        for (int i = 0; i < WORKERS; i++) {
            workers.add(Thread.ofPlatform().name("dns-worker-" + i).daemon().start(this::work));
        }
    }

    /** Takes a question; what is over the asker's share is answered here and now. Never waits. */
    void submit(Question question) {
        pending.begun();
        switch (question.share().arrives(question.arrivedNanos())) {
            case ANSWER -> {
                if (!ready.offer(question.share(), question)) {
                    refuse(question, question.share().refusal(question.arrivedNanos()));
                }
            }
            case REFUSE -> refuse(question, Share.Admission.REFUSE);
            case DROP -> refuse(question, Share.Admission.DROP);
        }
    }

    private void refuse(Question question, Share.Admission how) {
        answer(
                question,
                how == Share.Admission.REFUSE
                        ? resolver.refuse(question.message().raw(), question.share())
                        : Optional.empty());
    }

    private void answer(Question question, Optional<byte[]> answer) {
        try {
            question.reply().accept(answer);
        } finally {
            pending.done();
        }
    }

    private void work() {
        try {
            for (Optional<Question> next = ready.take(); next.isPresent(); next = ready.take()) {
                begin(next.get());
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    // A defect met by one question must not take the thread from all others.
    private void begin(Question question) {
        try {
            Step step = resolver.begin(question.message().raw(), question.asker(), question.share(), question.tcp());
            switch (step) {
                case Step.Answered(DnsQuery.Bytes message) -> answer(question, Optional.of(message.raw()));
                case Step.Silent _ -> answer(question, Optional.empty());
                case Step.Unfinished(DnsQuery query) -> later(new Slow(question, query));
            }
        } catch (RuntimeException | StackOverflowError e) {
            tell(e);
            answer(question, Optional.empty());
        }
    }

    private void later(Slow one) {
        Share share = one.question().share();
        switch (slow.enter(share, one)) {
            case BEGIN -> Thread.ofVirtual().name("dns-question").start(() -> finishAll(one));
            case WAIT -> {}
            case REFUSE -> refuse(one.question(), share.refusal(System.nanoTime()));
        }
    }

    private void finishAll(Slow first) {
        Optional<Slow> next = Optional.of(first);
        while (next.isPresent()) {
            finish(next.get());
            next = slow.next(first.question().share());
        }
    }

    private void finish(Slow one) {
        Question question = one.question();
        Optional<byte[]> answer = Optional.empty();
        try {
            if (System.nanoTime() - question.arrivedNanos() < TOO_LATE) {
                answer = Optional.of(resolver.finish(one.query(), question.asker(), question.share(), question.tcp()));
            }
        } catch (RuntimeException | StackOverflowError e) {
            tell(e);
        }
        answer(question, answer);
    }

    /** Logs a defect, seldom. */
    void tell(Throwable defect) {
        long now = System.nanoTime();
        long told = toldNanos.get();
        if (now - told >= TOLD_EVERY && toldNanos.compareAndSet(told, now)) {
            LOG.log(System.Logger.Level.WARNING, "a DNS question failed (told once a minute)", defect);
        }
    }

    /** Ends the threads, a moment after the last question is answered. */
    @Override
    public void close() {
        pending.await();
        ready.close();
        workers.forEach(Thread::interrupt);
    }
}
