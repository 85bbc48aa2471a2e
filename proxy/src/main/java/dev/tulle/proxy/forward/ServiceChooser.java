package dev.tulle.proxy.forward;

import dev.tulle.proxy.discovery.OutboundService;
import dev.tulle.proxy.http1.RequestHead;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** Finds the service of each request where the connection does not say it. */
@FunctionalInterface
public interface ServiceChooser {
    /**
     * What was found.
     *
     * @param service null when there is none
     * @param pathSkip characters at the start of the path that named the service and are not forwarded
     * @param authority the authority to send; null for the request's own
     * @param refusal why there is no service, for people
     */
    record Choice(
            @Nullable OutboundService service,
            int pathSkip,
            @Nullable String authority,
            String refusal) {
        /** A choice of no service. */
        public static Choice refuse(String why) {
            return new Choice(null, 0, null, why);
        }
    }

    /** Chooses; called on the loop, and calls back on the loop, at once or later. */
    void choose(RequestHead head, Consumer<Choice> then);
}
