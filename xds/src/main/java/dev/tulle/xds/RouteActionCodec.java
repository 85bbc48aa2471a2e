package dev.tulle.xds;

import com.google.protobuf.UInt32Value;
import dev.tulle.model.RetryPolicy;
import dev.tulle.model.RouteAction.Forward;
import dev.tulle.model.RouteAction.Mirror;
import dev.tulle.model.RouteAction.PathRewrite;
import dev.tulle.model.RouteAction.Redirect;
import dev.tulle.model.RouteAction.Rewrite;
import dev.tulle.model.WeightedCluster;
import dev.tulle.model.regex.Regex;
import dev.tulle.xds.proto.envoy.config.core.v3.DataSource;
import dev.tulle.xds.proto.envoy.config.core.v3.RuntimeFractionalPercent;
import dev.tulle.xds.proto.envoy.config.route.v3.DirectResponseAction;
import dev.tulle.xds.proto.envoy.config.route.v3.RedirectAction;
import dev.tulle.xds.proto.envoy.config.route.v3.RedirectAction.RedirectResponseCode;
import dev.tulle.xds.proto.envoy.config.route.v3.RouteAction;
import dev.tulle.xds.proto.envoy.config.route.v3.RouteAction.ClusterNotFoundResponseCode;
import dev.tulle.xds.proto.envoy.type.matcher.v3.RegexMatchAndSubstitute;
import dev.tulle.xds.proto.envoy.type.v3.FractionalPercent;
import dev.tulle.xds.proto.envoy.type.v3.FractionalPercent.DenominatorType;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;

/** {@link dev.tulle.model.RouteAction} as Envoy's route action. */
final class RouteActionCodec {
    /** Replacing the whole path is replacing every match of this. */
    private static final String WHOLE_PATH = "/.*";

    private static final String RETRIABLE_STATUS_CODES = "retriable-status-codes";

    private RouteActionCodec() {}

    static RouteAction encode(Forward forward) {
        RouteAction.Builder out = RouteAction.newBuilder().setTimeout(Durations.encode(forward.timeout()));
        if (forward.clusters().size() == 1 && plain(forward.clusters().getFirst())) {
            out.setCluster(forward.clusters().getFirst().cluster());
        } else {
            out.setWeightedClusters(split(forward.clusters()));
        }
        if (!forward.retry().equals(RetryPolicy.NONE)) {
            out.setRetryPolicy(encode(forward.retry()));
        }
        out.setClusterNotFoundResponseCode(
                switch (forward.notFound()) {
                    case 404 -> ClusterNotFoundResponseCode.NOT_FOUND;
                    case 500 -> ClusterNotFoundResponseCode.INTERNAL_SERVER_ERROR;
                    default -> ClusterNotFoundResponseCode.SERVICE_UNAVAILABLE;
                });
        forward.rewrite().authority().ifPresent(out::setHostRewriteLiteral);
        forward.rewrite().path().ifPresent(path -> {
            switch (path) {
                case PathRewrite.MatchedPrefix prefix -> out.setPrefixRewrite(prefix.replacement());
                case PathRewrite.Full full ->
                    out.setRegexRewrite(substitute(WHOLE_PATH, full.path().replace("\\", "\\\\")));
                case PathRewrite.Regex regex -> out.setRegexRewrite(substitute(regex.pattern(), regex.substitution()));
            }
        });
        for (Mirror mirror : forward.mirrors()) {
            out.addRequestMirrorPolicies(RouteAction.RequestMirrorPolicy.newBuilder()
                    .setCluster(mirror.cluster())
                    .setRuntimeFraction(
                            RuntimeFractionalPercent.newBuilder().setDefaultValue(share(mirror.partsPerMillion()))));
        }
        return out.build();
    }

    static Forward decode(RouteAction action) {
        List<WeightedCluster> clusters = new ArrayList<>();
        switch (action.getClusterSpecifierCase()) {
            case CLUSTER -> clusters.add(new WeightedCluster(action.getCluster(), 1));
            case WEIGHTED_CLUSTERS ->
                action.getWeightedClusters()
                        .getClustersList()
                        .forEach(cluster -> clusters.add(new WeightedCluster(
                                cluster.getName(),
                                cluster.getWeight().getValue(),
                                RouteCodec.mutation(
                                        cluster.getRequestHeadersToAddList(),
                                        cluster.getRequestHeadersToRemoveList(),
                                        cluster.getResponseHeadersToAddList(),
                                        cluster.getResponseHeadersToRemoveList()))));
            default ->
                throw new IllegalArgumentException("cluster specifier " + action.getClusterSpecifierCase()
                        + ": expected CLUSTER or WEIGHTED_CLUSTERS");
        }
        if (clusters.stream().noneMatch(cluster -> cluster.weight() > 0)) {
            throw new IllegalArgumentException("no cluster has a weight above 0");
        }
        List<Mirror> mirrors = new ArrayList<>();
        for (RouteAction.RequestMirrorPolicy mirror : action.getRequestMirrorPoliciesList()) {
            mirrors.add(new Mirror(
                    mirror.getCluster(),
                    mirror.hasRuntimeFraction()
                            ? share(mirror.getRuntimeFraction().getDefaultValue())
                            : 1_000_000));
        }
        Optional<PathRewrite> path = Optional.empty();
        if (!action.getPrefixRewrite().isEmpty()) {
            path = Optional.of(new PathRewrite.MatchedPrefix(action.getPrefixRewrite()));
        } else if (action.hasRegexRewrite()) {
            path = Optional.of(rewrite(action.getRegexRewrite()));
        }
        Optional<String> authority = action.getHostRewriteLiteral().isEmpty()
                ? Optional.empty()
                : Optional.of(action.getHostRewriteLiteral());
        return new Forward(
                clusters,
                // Envoy's default, for those control planes that rely on it.
                action.hasTimeout() ? Durations.decode(action.getTimeout()) : Duration.ofSeconds(15),
                action.hasRetryPolicy() ? decode(action.getRetryPolicy()) : RetryPolicy.NONE,
                new Rewrite(authority, path),
                mirrors,
                switch (action.getClusterNotFoundResponseCode()) {
                    case SERVICE_UNAVAILABLE -> 503;
                    case NOT_FOUND -> 404;
                    case INTERNAL_SERVER_ERROR -> 500;
                    case UNRECOGNIZED ->
                        throw new IllegalArgumentException("cluster_not_found_response_code "
                                + action.getClusterNotFoundResponseCodeValue() + " is unknown");
                });
    }

    static RedirectAction encode(Redirect redirect) {
        RedirectAction.Builder out = RedirectAction.newBuilder()
                .setResponseCode(
                        switch (redirect.status()) {
                            case 301 -> RedirectResponseCode.MOVED_PERMANENTLY;
                            case 302 -> RedirectResponseCode.FOUND;
                            case 303 -> RedirectResponseCode.SEE_OTHER;
                            case 307 -> RedirectResponseCode.TEMPORARY_REDIRECT;
                            case 308 -> RedirectResponseCode.PERMANENT_REDIRECT;
                            default ->
                                throw new IllegalArgumentException("redirect status " + redirect.status()
                                        + ": expected 301, 302, 303, 307 or 308");
                        });
        redirect.scheme().ifPresent(out::setSchemeRedirect);
        redirect.authority().ifPresent(out::setHostRedirect);
        redirect.port().ifPresent(out::setPortRedirect);
        redirect.path().ifPresent(path -> {
            switch (path) {
                case PathRewrite.Full full -> out.setPathRedirect(full.path());
                case PathRewrite.MatchedPrefix prefix -> out.setPrefixRewrite(prefix.replacement());
                case PathRewrite.Regex regex -> out.setRegexRewrite(substitute(regex.pattern(), regex.substitution()));
            }
        });
        return out.build();
    }

    static Redirect decode(RedirectAction action) {
        int status =
                switch (action.getResponseCode()) {
                    case MOVED_PERMANENTLY -> 301;
                    case FOUND -> 302;
                    case SEE_OTHER -> 303;
                    case TEMPORARY_REDIRECT -> 307;
                    case PERMANENT_REDIRECT -> 308;
                    case UNRECOGNIZED ->
                        throw new IllegalArgumentException(
                                "redirect response_code " + action.getResponseCodeValue() + " is unknown");
                };
        Optional<PathRewrite> path =
                switch (action.getPathRewriteSpecifierCase()) {
                    case PATH_REDIRECT -> Optional.of(new PathRewrite.Full(action.getPathRedirect()));
                    case PREFIX_REWRITE -> Optional.of(new PathRewrite.MatchedPrefix(action.getPrefixRewrite()));
                    case REGEX_REWRITE -> Optional.of(rewrite(action.getRegexRewrite()));
                    case PATHREWRITESPECIFIER_NOT_SET -> Optional.empty();
                };
        return new Redirect(
                status,
                text(action.getSchemeRedirect()),
                text(action.getHostRedirect()),
                action.getPortRedirect() == 0 ? Optional.empty() : Optional.of(action.getPortRedirect()),
                path);
    }

    static DirectResponseAction encode(dev.tulle.model.RouteAction.DirectResponse direct) {
        DirectResponseAction.Builder out = DirectResponseAction.newBuilder().setStatus(direct.status());
        if (!direct.body().isEmpty()) {
            out.setBody(DataSource.newBuilder().setInlineString(direct.body()));
        }
        return out.build();
    }

    static dev.tulle.model.RouteAction.DirectResponse decode(DirectResponseAction action) {
        DataSource body = action.getBody();
        String text =
                switch (body.getSpecifierCase()) {
                    case INLINE_STRING -> body.getInlineString();
                    case INLINE_BYTES -> body.getInlineBytes().toStringUtf8();
                    case SPECIFIER_NOT_SET -> "";
                    default ->
                        throw new IllegalArgumentException(
                                "direct response body " + body.getSpecifierCase() + ": expected INLINE_STRING");
                };
        return new dev.tulle.model.RouteAction.DirectResponse(action.getStatus(), text);
    }

    private static boolean plain(WeightedCluster cluster) {
        return cluster.weight() == 1
                && cluster.headers().request().isEmpty()
                && cluster.headers().response().isEmpty();
    }

    private static dev.tulle.xds.proto.envoy.config.route.v3.WeightedCluster split(List<WeightedCluster> clusters) {
        var out = dev.tulle.xds.proto.envoy.config.route.v3.WeightedCluster.newBuilder();
        for (WeightedCluster cluster : clusters) {
            out.addClusters(dev.tulle.xds.proto.envoy.config.route.v3.WeightedCluster.ClusterWeight.newBuilder()
                    .setName(cluster.cluster())
                    .setWeight(UInt32Value.of(cluster.weight()))
                    .addAllRequestHeadersToAdd(
                            RouteCodec.encode(cluster.headers().request()))
                    .addAllRequestHeadersToRemove(cluster.headers().request().remove())
                    .addAllResponseHeadersToAdd(
                            RouteCodec.encode(cluster.headers().response()))
                    .addAllResponseHeadersToRemove(cluster.headers().response().remove()));
        }
        return out.build();
    }

    private static dev.tulle.xds.proto.envoy.config.route.v3.RetryPolicy encode(RetryPolicy retry) {
        var out = dev.tulle.xds.proto.envoy.config.route.v3.RetryPolicy.newBuilder()
                .setNumRetries(UInt32Value.of(retry.attempts()));
        if (!retry.perTryTimeout().isZero()) {
            out.setPerTryTimeout(Durations.encode(retry.perTryTimeout()));
        }
        // Sorted, so that equal policies have equal bytes.
        List<String> words = new ArrayList<>();
        for (String condition : new TreeSet<>(retry.on())) {
            if (!condition.isEmpty() && condition.chars().allMatch(c -> c >= '0' && c <= '9')) {
                out.addRetriableStatusCodes(MetadataCodec.number(condition));
            } else {
                words.add(condition);
            }
        }
        if (out.getRetriableStatusCodesCount() > 0) {
            words.add(RETRIABLE_STATUS_CODES);
        }
        return out.setRetryOn(String.join(",", words)).build();
    }

    private static RetryPolicy decode(dev.tulle.xds.proto.envoy.config.route.v3.RetryPolicy policy) {
        Set<String> on = new HashSet<>();
        boolean codes = false;
        for (String word : policy.getRetryOn().split(",", -1)) {
            String condition = word.strip();
            if (condition.equals(RETRIABLE_STATUS_CODES)) {
                codes = true;
            } else if (RetryPolicy.CONDITIONS.contains(condition)) {
                on.add(condition);
            } else if (!condition.isEmpty()) {
                throw new IllegalArgumentException("retry_policy.retry_on: '" + condition + "' cannot be honoured");
            }
        }
        if (codes != policy.getRetriableStatusCodesCount() > 0) {
            throw new IllegalArgumentException(
                    "retry_policy: " + RETRIABLE_STATUS_CODES + " and retriable_status_codes need each other");
        }
        policy.getRetriableStatusCodesList().forEach(code -> on.add(Integer.toString(code)));
        return new RetryPolicy(
                policy.hasNumRetries() ? policy.getNumRetries().getValue() : 1,
                policy.hasPerTryTimeout() ? Durations.decode(policy.getPerTryTimeout()) : Duration.ZERO,
                on);
    }

    private static PathRewrite rewrite(RegexMatchAndSubstitute rewrite) {
        String pattern = rewrite.getPattern().getRegex();
        String literal = rewrite.getSubstitution().replace("\\\\", "");
        Regex.replacingFault(pattern).ifPresent(fault -> {
            throw new IllegalArgumentException("regex '" + pattern + "': " + fault.getMessage(), fault);
        });
        return pattern.equals(WHOLE_PATH) && literal.indexOf('\\') < 0
                ? new PathRewrite.Full(rewrite.getSubstitution().replace("\\\\", "\\"))
                : new PathRewrite.Regex(pattern, rewrite.getSubstitution());
    }

    private static RegexMatchAndSubstitute substitute(String pattern, String substitution) {
        return RegexMatchAndSubstitute.newBuilder()
                .setPattern(RouteMatchCodec.regex(pattern))
                .setSubstitution(substitution)
                .build();
    }

    static FractionalPercent share(int partsPerMillion) {
        return FractionalPercent.newBuilder()
                .setNumerator(partsPerMillion)
                .setDenominator(DenominatorType.MILLION)
                .build();
    }

    static int share(FractionalPercent percent) {
        long parts =
                switch (percent.getDenominator()) {
                    case HUNDRED -> percent.getNumerator() * 10_000L;
                    case TEN_THOUSAND -> percent.getNumerator() * 100L;
                    case MILLION -> percent.getNumerator();
                    case UNRECOGNIZED ->
                        throw new IllegalArgumentException(
                                "denominator " + percent.getDenominatorValue() + " is unknown");
                };
        return Math.clamp(parts, 0, 1_000_000);
    }

    private static Optional<String> text(String text) {
        return text.isEmpty() ? Optional.empty() : Optional.of(text);
    }
}
