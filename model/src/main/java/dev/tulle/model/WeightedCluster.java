package dev.tulle.model;

/**
 * One share of a traffic split.
 *
 * @param cluster the cluster's name, for example {@code outbound|9080|v1|reviews.default.svc.cluster.local}
 * @param weight relative weight, 0 or more; the shares of one split need not sum to 100
 * @param headers header changes for requests that take this share
 */
public record WeightedCluster(String cluster, int weight, HeaderMutation headers) {
    public WeightedCluster(String cluster, int weight) {
        this(cluster, weight, HeaderMutation.NONE);
    }
}
