package dev.tulle.proxy.forward;

import dev.tulle.model.RequestView;
import java.util.List;

/** A request as its service sees it, where that is not what was received. */
record OverriddenRequest(RequestView request, String path, String authority, String scheme) implements RequestView {
    @Override
    public String method() {
        return request.method();
    }

    @Override
    public String query() {
        return request.query();
    }

    @Override
    public List<String> headers(String name) {
        return request.headers(name);
    }
}
