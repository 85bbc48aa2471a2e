package dev.tulle.xds;

import dev.tulle.model.HeaderMutation;
import dev.tulle.model.HeaderMutation.Changes;
import dev.tulle.model.HeaderMutation.Field;
import dev.tulle.model.RouteAction;
import dev.tulle.xds.proto.envoy.config.core.v3.HeaderValue;
import dev.tulle.xds.proto.envoy.config.core.v3.HeaderValueOption;
import dev.tulle.xds.proto.envoy.config.core.v3.HeaderValueOption.HeaderAppendAction;
import dev.tulle.xds.proto.envoy.config.route.v3.Route;
import dev.tulle.xds.proto.envoy.config.route.v3.RouteConfiguration;
import dev.tulle.xds.proto.envoy.config.route.v3.VirtualHost;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** {@link dev.tulle.model.RouteConfiguration} as Envoy's RouteConfiguration. */
final class RouteCodec {
    private RouteCodec() {}

    static RouteConfiguration encode(dev.tulle.model.RouteConfiguration routes) {
        RouteConfiguration.Builder out = RouteConfiguration.newBuilder().setName(routes.name());
        for (dev.tulle.model.VirtualHost host : routes.virtualHosts()) {
            VirtualHost.Builder hostOut =
                    VirtualHost.newBuilder().setName(host.name()).addAllDomains(host.domains());
            for (dev.tulle.model.Route route : host.routes()) {
                hostOut.addRoutes(encode(route));
            }
            out.addVirtualHosts(hostOut);
        }
        return out.build();
    }

    static dev.tulle.model.RouteConfiguration decode(RouteConfiguration routes) {
        List<dev.tulle.model.VirtualHost> hosts = new ArrayList<>();
        for (VirtualHost host : routes.getVirtualHostsList()) {
            List<dev.tulle.model.Route> decoded = new ArrayList<>();
            for (Route route : host.getRoutesList()) {
                try {
                    decoded.add(decode(route));
                } catch (IllegalArgumentException e) {
                    throw new IllegalArgumentException(
                            "virtual host " + host.getName() + ", route " + route.getName() + ": " + e.getMessage(), e);
                }
            }
            hosts.add(new dev.tulle.model.VirtualHost(host.getName(), List.copyOf(host.getDomainsList()), decoded));
        }
        return new dev.tulle.model.RouteConfiguration(routes.getName(), hosts);
    }

    private static Route encode(dev.tulle.model.Route given) {
        dev.tulle.model.Route route = SegmentRewrites.written(given);
        Route.Builder out = Route.newBuilder().setName(route.name()).setMatch(RouteMatchCodec.encode(route.match()));
        switch (route.action()) {
            case RouteAction.Forward forward -> out.setRoute(RouteActionCodec.encode(forward));
            case RouteAction.Redirect redirect -> out.setRedirect(RouteActionCodec.encode(redirect));
            case RouteAction.DirectResponse direct -> out.setDirectResponse(RouteActionCodec.encode(direct));
        }
        RouteActionCodec.encode(route.fault())
                .ifPresent(fault -> out.putTypedPerFilterConfig(RouteActionCodec.FAULT_FILTER, fault));
        Changes request = route.headers().request();
        Changes response = route.headers().response();
        out.addAllRequestHeadersToAdd(encode(request))
                .addAllRequestHeadersToRemove(request.remove())
                .addAllResponseHeadersToAdd(encode(response))
                .addAllResponseHeadersToRemove(response.remove());
        Map<String, String> facts = new LinkedHashMap<>();
        MetadataCodec.putOrigin(facts, route.origin());
        if (!facts.isEmpty()) {
            out.setMetadata(MetadataCodec.encode(facts));
        }
        return out.build();
    }

    private static dev.tulle.model.Route decode(Route route) {
        RouteAction action =
                switch (route.getActionCase()) {
                    case ROUTE -> RouteActionCodec.decode(route.getRoute());
                    case REDIRECT -> RouteActionCodec.decode(route.getRedirect());
                    case DIRECT_RESPONSE -> RouteActionCodec.decode(route.getDirectResponse());
                    default ->
                        throw new IllegalArgumentException(
                                "action " + route.getActionCase() + ": expected ROUTE, REDIRECT or DIRECT_RESPONSE");
                };
        return SegmentRewrites.read(new dev.tulle.model.Route(
                route.getName(),
                RouteMatchCodec.decode(route.getMatch()),
                action,
                RouteActionCodec.fault(route.getTypedPerFilterConfigMap()),
                mutation(
                        route.getRequestHeadersToAddList(),
                        route.getRequestHeadersToRemoveList(),
                        route.getResponseHeadersToAddList(),
                        route.getResponseHeadersToRemoveList()),
                MetadataCodec.origin(MetadataCodec.decode(route.getMetadata()))));
    }

    static List<HeaderValueOption> encode(Changes changes) {
        List<HeaderValueOption> out = new ArrayList<>();
        changes.set().forEach(field -> out.add(encode(field, HeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD)));
        changes.add().forEach(field -> out.add(encode(field, HeaderAppendAction.APPEND_IF_EXISTS_OR_ADD)));
        return out;
    }

    static HeaderMutation mutation(
            List<HeaderValueOption> requestAdd,
            List<String> requestRemove,
            List<HeaderValueOption> responseAdd,
            List<String> responseRemove) {
        return new HeaderMutation(changes(requestAdd, requestRemove), changes(responseAdd, responseRemove));
    }

    private static Changes changes(List<HeaderValueOption> options, List<String> remove) {
        List<Field> set = new ArrayList<>();
        List<Field> add = new ArrayList<>();
        for (HeaderValueOption option : options) {
            String value = option.getHeader().getValue();
            // Envoy reads % as the start of a variable; a literal one is doubled.
            if (value.replace("%%", "").indexOf('%') >= 0) {
                throw new IllegalArgumentException(
                        "header " + option.getHeader().getKey() + ": a variable in '" + value + "'");
            }
            if (value.isEmpty() && !option.getKeepEmptyValue()) {
                throw new IllegalArgumentException(
                        "header " + option.getHeader().getKey() + ": an empty value without keep_empty_value");
            }
            Field field = new Field(option.getHeader().getKey(), value.replace("%%", "%"));
            switch (option.getAppendAction()) {
                case OVERWRITE_IF_EXISTS_OR_ADD -> set.add(field);
                case APPEND_IF_EXISTS_OR_ADD -> add.add(field);
                default ->
                    throw new IllegalArgumentException("header " + field.name() + ": append_action "
                            + option.getAppendActionValue()
                            + ", expected OVERWRITE_IF_EXISTS_OR_ADD or APPEND_IF_EXISTS_OR_ADD");
            }
        }
        return new Changes(set, add, List.copyOf(remove));
    }

    private static HeaderValueOption encode(Field field, HeaderAppendAction action) {
        return HeaderValueOption.newBuilder()
                .setHeader(HeaderValue.newBuilder()
                        .setKey(field.name())
                        .setValue(field.value().replace("%", "%%")))
                .setAppendAction(action)
                .setKeepEmptyValue(true)
                .build();
    }
}
