package dev.tulle.proxy.filter;

import dev.tulle.model.FaultInjection;
import dev.tulle.model.FaultInjection.Fault;
import dev.tulle.model.RequestView;
import java.time.Duration;

/** Injects faults, as Envoy's filter of that name: the delay, then the answer. */
final class FaultFilter implements HttpFilter {
    private static final String DELAYED = "DI";
    private static final String ABORTED = "FI";

    private final FaultInjection injection;
    private Fault fault = new Fault(Duration.ZERO, 0);

    FaultFilter(FaultInjection injection) {
        this.injection = injection;
    }

    @Override
    public Step request(RequestView head, FilterStream stream) {
        fault = injection.draw(stream.random());
        if (fault.delay().isZero()) {
            return resumed(stream);
        }
        stream.flag(DELAYED);
        stream.resumeAfter(fault.delay().toNanos());
        return Step.WAIT;
    }

    @Override
    public Step resumed(FilterStream stream) {
        if (fault.abortStatus() == 0) {
            return Step.CONTINUE;
        }
        stream.reply(fault.abortStatus(), ABORTED, "fault_filter_abort", "fault filter abort");
        return Step.REPLIED;
    }
}
