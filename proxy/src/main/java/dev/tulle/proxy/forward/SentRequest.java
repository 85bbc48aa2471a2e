package dev.tulle.proxy.forward;

import dev.tulle.model.HeaderMutation;
import dev.tulle.model.RequestView;
import dev.tulle.proxy.http1.ForwardingFields;
import dev.tulle.proxy.http1.HeadWriter;
import dev.tulle.proxy.http1.HeaderProgram;
import dev.tulle.proxy.http1.RequestHead;
import dev.tulle.proxy.stream.Peer;
import dev.tulle.proxy.upstream.ForwardPlan;
import java.util.ArrayList;
import java.util.List;

/**
 * A request as its endpoint will read it, with what its route changes: what authorization has to decide on, because
 * anything else is not what the server does.
 */
record SentRequest(RequestHead head, Routing routing, ForwardPlan plan, Peer client) implements RequestView {
    @Override
    public String method() {
        return head.method();
    }

    @Override
    public String path() {
        String changed = routing.path();
        if (changed == null) {
            return head.path();
        }
        int query = changed.indexOf('?');
        return query < 0 ? changed : changed.substring(0, query);
    }

    @Override
    public String query() {
        return head.query();
    }

    @Override
    public String authority() {
        String changed = routing.authority();
        return changed == null ? head.authority() : changed;
    }

    @Override
    public List<String> headers(String name) {
        HeaderProgram changes = plan.requestHeaders();
        int also = HeadWriter.alsoTravels(head, client);
        List<String> lines = new ArrayList<>(2);
        for (int i = 0; i < head.fieldCount(); i++) {
            if (head.isNamed(i, name)
                    && HeadWriter.travels(head, i, also)
                    && !changes.drops(head, i)
                    && !ForwardingFields.isDropped(head, i, client)) {
                lines.add(head.text(head.valueStart(i), head.valueEnd(i)));
            }
        }
        for (HeaderMutation.Field field : changes.added()) {
            if (field.name().equalsIgnoreCase(name)) {
                lines.add(field.value());
            }
        }
        lines.addAll(ForwardingFields.written(head, client, name));
        return lines;
    }
}
