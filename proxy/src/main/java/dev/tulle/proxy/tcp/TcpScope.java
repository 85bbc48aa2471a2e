package dev.tulle.proxy.tcp;

import dev.tulle.proxy.share.Held;
import dev.tulle.proxy.stream.Peer;
import dev.tulle.telemetry.AccessLog;
import dev.tulle.telemetry.AccessLogEntry;
import org.jspecify.annotations.Nullable;

/** What relayed connections share: where they are logged. */
public record TcpScope(@Nullable AccessLog accessLog, boolean logsEverything) {
    void log(
            Peer peer,
            @Nullable Held held,
            TcpTarget target,
            String upstream,
            String flags,
            String details,
            long received,
            long sent,
            long startedNanos) {
        AccessLog log = accessLog;
        if (log == null
                || (flags.equals("-") && !logsEverything)
                || (held != null && !held.share().mayLog())) {
            return;
        }
        long micros = (System.nanoTime() - startedNanos) / 1_000;
        log.log(new AccessLogEntry(
                System.currentTimeMillis() - micros / 1_000,
                "",
                "",
                "TCP",
                0,
                flags,
                details,
                received,
                sent,
                micros,
                -1,
                "",
                "",
                "",
                "",
                upstream,
                target.cluster(),
                peer.dialled(),
                peer.remote(),
                peer.source().toString(),
                ""));
    }
}
