package dev.tulle.control;

import dev.tulle.model.HeaderMutation.Changes;
import dev.tulle.model.HeaderMutation.Field;
import dev.tulle.model.PathRewriter;
import dev.tulle.model.RequestView;
import dev.tulle.model.Route;
import dev.tulle.model.RouteAction;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** A request after its route changed it: what the endpoint reads, and what policies decide on. */
record SentRequest(RequestView request, String path, String authority, Changes changes) implements RequestView {
    static SentRequest of(RequestView request, Route route, RouteAction.Forward forward) {
        RouteAction.Rewrite rewrite = forward.rewrite();
        Changes changes = route.headers().request();
        String host = changes.set().stream()
                .filter(field -> field.name().equals("host") || field.name().equals(":authority"))
                .map(Field::value)
                .reduce(request.authority(), (before, value) -> value);
        return new SentRequest(
                request,
                rewrite.path()
                        .flatMap(to -> Optional.ofNullable(new PathRewriter(to, route.match()).apply(request.path())))
                        .orElse(request.path()),
                rewrite.authority().orElse(host),
                changes);
    }

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
        boolean dropped = changes.remove().contains(name)
                || changes.set().stream().anyMatch(field -> field.name().equals(name));
        List<String> lines = new ArrayList<>(dropped ? List.of() : request.headers(name));
        changes.set().stream()
                .filter(field -> field.name().equals(name))
                .reduce((before, last) -> last)
                .ifPresent(field -> lines.add(field.value()));
        changes.add().stream().filter(field -> field.name().equals(name)).forEach(field -> lines.add(field.value()));
        return lines;
    }
}
