package dev.tulle.agent.tier;

import dev.tulle.common.Reason;

/**
 * Whether the kernel forwards requests by itself: a switch of its own on top of tier {@code splice}.
 *
 * @param on true when all that it needs is in force
 * @param reason why it is off; {@link Reason#NONE} when it is on
 * @param text the same in words
 */
public record KernelHttp(boolean on, Reason reason, String text) {
    /** In force. */
    public static final KernelHttp ON = new KernelHttp(true, Reason.NONE, "requests are forwarded by the kernel");

    /** Off for a reason. */
    public static KernelHttp off(Reason reason, String text) {
        return new KernelHttp(false, reason, text);
    }
}
