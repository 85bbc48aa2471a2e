package dev.tulle.proxy.forward;

import dev.tulle.model.HeaderMutation;
import dev.tulle.model.RequestView;
import dev.tulle.proxy.http1.RequestHead;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** What can be asked of a request after its head is gone. */
record FrozenRequest(String method, String path, String query, String authority, Map<String, List<String>> fields)
        implements RequestView {
    /** Keeps a request as its endpoint will read it. */
    static FrozenRequest of(SentRequest sent) {
        RequestHead head = sent.head();
        Map<String, List<String>> fields = new HashMap<>();
        for (int i = 0; i < head.fieldCount(); i++) {
            String name = head.text(head.nameStart(i), head.nameEnd(i)).toLowerCase(Locale.ROOT);
            fields.computeIfAbsent(name, sent::headers);
        }
        for (HeaderMutation.Field field : sent.plan().requestHeaders().added()) {
            fields.computeIfAbsent(field.name().toLowerCase(Locale.ROOT), sent::headers);
        }
        for (String name : List.of("x-forwarded-for", "x-forwarded-proto")) {
            fields.computeIfAbsent(name, sent::headers);
        }
        return new FrozenRequest(sent.method(), sent.path(), sent.query(), sent.authority(), fields);
    }

    @Override
    public List<String> headers(String name) {
        return fields.getOrDefault(name, List.of());
    }
}
