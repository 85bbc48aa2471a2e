package dev.tulle.control;

import dev.tulle.model.EdgeNames;
import dev.tulle.model.Listener;
import dev.tulle.model.Listener.Target;
import dev.tulle.model.MeshState;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Which part of the mesh's gateway serves a caller outside: chosen as the gateway chooses, by the port and, in TLS, by the
 * name that is asked for. Pure.
 *
 * @param chain null where nobody serves it
 * @param decision what was chosen, or why nothing
 */
record ExplainedGateway(Target.@Nullable Chain chain, String decision) {
    static ExplainedGateway choose(MeshState state, ExplainedRequest request) {
        Listener edge = state.listeners().get(Listener.EDGE);
        List<Target.Chain> chains = edge != null && edge.target() instanceof Target.Edge of
                ? of.chains().stream()
                        .filter(chain -> chain.port() == request.port())
                        .toList()
                : List.of();
        if (chains.isEmpty()) {
            return new ExplainedGateway(null, "no Gateway serves port " + request.port());
        }
        EdgeNames names = new EdgeNames(chains);
        boolean secure = names.areLookedAt();
        if (request.web() && request.secure() != secure) {
            return new ExplainedGateway(
                    null,
                    "port " + request.port()
                            + (secure ? " speaks TLS: ask with https" : " speaks no TLS: ask with http"));
        }
        Target.Chain chain = secure ? names.chain(request.host()) : chains.getFirst();
        if (chain == null || isNobodys(chain)) {
            return new ExplainedGateway(
                    null,
                    "nothing serves " + request.host() + " at port " + request.port()
                            + (secure ? ": its callers get no handshake" : ""));
        }
        return new ExplainedGateway(chain, text(chain, secure));
    }

    private static boolean isNobodys(Target.Chain chain) {
        return chain.target() instanceof Target.Tcp(var clusters) && clusters.isEmpty();
    }

    private static String text(Target.Chain chain, boolean secure) {
        StringBuilder text = new StringBuilder("port " + chain.port());
        if (secure) {
            text.append(", for ")
                    .append(chain.serverNames().isEmpty() ? "every name" : String.join(", ", chain.serverNames()));
        }
        chain.tls().ifPresent(tls -> text.append(", certificate ")
                .append(tls.certificate())
                .append(tls.authorities().isEmpty() ? "" : ", callers' certificates by " + tls.authorities()));
        if (chain.target() instanceof Target.Http http) {
            text.append(", routes ").append(http.routeConfiguration());
        } else {
            text.append(chain.passes() ? ": TLS passes through" : ": bytes");
        }
        return text.toString();
    }
}
