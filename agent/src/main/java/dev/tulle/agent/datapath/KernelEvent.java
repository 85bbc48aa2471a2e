package dev.tulle.agent.datapath;

import dev.tulle.common.Ip;
import dev.tulle.common.Reason;
import java.util.Locale;

/**
 * Something that a program of the kernel reports.
 *
 * @param what the hook: connect, bind, sendmsg or guard; flow: a connection has ended
 * @param reason why
 * @param workload the caller's number, the target's for the guard; 0 when unknown
 * @param cgroup the caller's control group, 0 when unknown
 * @param pid the caller, 0 when unknown
 * @param command the caller's name as the kernel keeps it
 * @param source address and port, empty when there is none
 * @param destination address and port
 * @param protocol tcp or udp
 * @param ended what a connection was; {@link Ended#NOTHING} for all but flows
 */
public record KernelEvent(
        String what,
        Reason reason,
        int workload,
        long cgroup,
        int pid,
        String command,
        String source,
        String destination,
        String protocol,
        Ended ended) {
    /**
     * A connection that has ended, as its caller saw it.
     *
     * @param sent bytes
     * @param received bytes
     * @param nanos from established to closed at both ends
     * @param rttMicros smoothed; 0 when nothing was acknowledged
     * @param retransmits of both ends
     * @param server the called workload's number
     */
    public record Ended(long sent, long received, long nanos, int rttMicros, int retransmits, int server) {
        /** No connection. */
        public static final Ended NOTHING = new Ended(0, 0, 0, 0, 0, 0);
    }

    private static final int FLOW = 5;

    static KernelEvent of(Structs.Event event) {
        String what =
                switch (event.type()) {
                    case 1 -> "connect";
                    case 2 -> "bind";
                    case 3 -> "sendmsg";
                    case 4 -> "guard";
                    case FLOW -> "flow";
                    default -> "event " + event.type();
                };
        return new KernelEvent(
                what,
                Reason.of(event.reason()).orElse(Reason.NONE),
                event.workload(),
                event.cgroup(),
                event.pid(),
                event.comm(),
                Ip.text(event.src(), event.sport()),
                Ip.text(event.dst(), event.dport()),
                event.proto() == Structs.UDP ? "udp" : "tcp",
                event.type() == FLOW
                        ? new Ended(
                                event.sent(),
                                event.received(),
                                event.nanos(),
                                event.rttUs(),
                                event.retransmits(),
                                event.server())
                        : Ended.NOTHING);
    }

    @Override
    public String toString() {
        return what.toUpperCase(Locale.ROOT) + " " + protocol + " " + source + " -> " + destination + " by "
                + (command.isEmpty() ? "unknown" : command + " (" + pid + ")") + ": " + reason + ": " + reason.text();
    }
}
