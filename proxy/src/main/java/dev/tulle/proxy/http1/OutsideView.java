package dev.tulle.proxy.http1;

import dev.tulle.model.RequestView;
import java.util.List;

/**
 * A request of a client outside the mesh as routes, filters and policies see it: what it says of those for whom it speaks
 * counts for nothing, and in its place is what will be sent. Used while the head is there.
 */
public record OutsideView(RequestHead head, Sender client) implements RequestView {
    @Override
    public String method() {
        return head.method();
    }

    @Override
    public String path() {
        return head.path();
    }

    @Override
    public String query() {
        return head.query();
    }

    @Override
    public String authority() {
        return head.authority();
    }

    @Override
    public String scheme() {
        return ForwardingFields.scheme(head, client);
    }

    @Override
    public List<String> headers(String name) {
        return ForwardingFields.isOne(name) ? ForwardingFields.read(head, client, name) : head.headers(name);
    }
}
