package dev.tulle.agent.dns;

import java.util.Optional;
import java.util.function.Consumer;

/**
 * A message on its way through.
 *
 * @param message what came
 * @param asker who sent it
 * @param share its share
 * @param tcp true when an answer of any size can be taken
 * @param arrivedNanos when it came, by {@link System#nanoTime}
 * @param reply takes the answer, once, on any thread; empty when there is none
 */
record Question(
        DnsQuery.Bytes message,
        Asker asker,
        Share share,
        boolean tcp,
        long arrivedNanos,
        Consumer<Optional<byte[]>> reply) {}
