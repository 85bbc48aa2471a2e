package dev.tulle.proxy.filter;

import dev.tulle.model.HeadFilter;
import dev.tulle.model.HeaderMutation.Changes;
import dev.tulle.model.RequestView;
import dev.tulle.proxy.http1.HeaderProgram;

/** Any filter that decides on the head alone: carries out what it says. */
final class HeadDecisionFilter implements HttpFilter {
    private final HeadFilter.Decider decider;
    private HeaderProgram changes = HeaderProgram.NONE;

    private HeadDecisionFilter(HeadFilter.Decider decider) {
        this.decider = decider;
    }

    static FilterFactory factory(HeadFilter filter) {
        HeadFilter.Decider ready = filter.prepare();
        return () -> new HeadDecisionFilter(ready);
    }

    @Override
    public Step request(RequestView head, FilterStream stream) {
        HeadFilter.Outcome outcome = decider.decide(head);
        changes = HeaderProgram.of(outcome.response(), Changes.NONE);
        if (outcome.status() == 0) {
            return Step.CONTINUE;
        }
        stream.answer(outcome.status(), outcome.details());
        return Step.REPLIED;
    }

    @Override
    public HeaderProgram responseChanges() {
        return changes;
    }
}
