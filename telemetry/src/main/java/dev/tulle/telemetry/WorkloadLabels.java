package dev.tulle.telemetry;

import dev.tulle.model.Workload;
import java.util.Map;

/**
 * What Istio's metrics say about one side of a connection. Empty parts are exposed as {@code unknown}.
 *
 * @param workload the workload's name: of a replica that of the workload, by Istio's label
 * @param namespace its namespace
 * @param principal its SPIFFE identity
 * @param app its {@code app} label
 * @param version its {@code version} label
 * @param canonicalService Istio's canonical name: a label, else the app, else the workload
 * @param canonicalRevision Istio's canonical revision: a label, else the version, else {@code latest}
 */
public record WorkloadLabels(
        String workload,
        String namespace,
        String principal,
        String app,
        String version,
        String canonicalService,
        String canonicalRevision) {
    /** Nobody known. */
    public static final WorkloadLabels UNKNOWN = new WorkloadLabels("", "", "", "", "", "", "");

    /** The labels of a workload. */
    public static WorkloadLabels of(Workload workload) {
        Map<String, String> labels = workload.labels();
        String app = labels.getOrDefault("app", labels.getOrDefault("app.kubernetes.io/name", ""));
        String version = labels.getOrDefault("version", labels.getOrDefault("app.kubernetes.io/version", ""));
        String account = workload.serviceAccount().isEmpty() ? "default" : workload.serviceAccount();
        String name = labels.getOrDefault("service.istio.io/workload-name", workload.name());
        return new WorkloadLabels(
                name,
                workload.namespace(),
                "spiffe://cluster.local/ns/" + workload.namespace() + "/sa/" + account,
                app,
                version,
                labels.getOrDefault("service.istio.io/canonical-name", app.isEmpty() ? name : app),
                labels.getOrDefault("service.istio.io/canonical-revision", version.isEmpty() ? "latest" : version));
    }

    /** Where only a name is known. */
    public static WorkloadLabels named(String workload, String namespace) {
        return new WorkloadLabels(workload, namespace, "", "", "", workload, "");
    }
}
