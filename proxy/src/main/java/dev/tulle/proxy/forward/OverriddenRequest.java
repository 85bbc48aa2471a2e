package dev.tulle.proxy.forward;

import dev.tulle.model.RequestView;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** A request as its service sees it, where the explicit proxy port took the service's name off the path. */
record OverriddenRequest(RequestView request, String path, String authority) implements RequestView {
    @Override
    public String method() {
        return request.method();
    }

    @Override
    public String query() {
        return request.query();
    }

    @Override
    public @Nullable String header(String name) {
        return request.header(name);
    }

    @Override
    public List<String> headers(String name) {
        return request.headers(name);
    }
}
