package dev.tulle.telemetry;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Istio's standard metrics of requests and connections. Resolve the handle of a combination of labels once and keep it;
 * using a handle costs a few additions. The one proxy hop between two workloads of a host is reported once, as {@code
 * source}, a tunnel between two hosts at both ends. Any thread.
 */
public final class IstioMetrics {
    /** Milliseconds, as Istio's dashboards expect them; recorded in microseconds. */
    private static final long[] DURATION_MICROS = {
        500,
        1_000,
        5_000,
        10_000,
        25_000,
        50_000,
        100_000,
        250_000,
        500_000,
        1_000_000,
        2_500_000,
        5_000_000,
        10_000_000,
        30_000_000,
        60_000_000,
        300_000_000,
        600_000_000,
        1_800_000_000,
        3_600_000_000L
    };

    private static final long[] BYTES = {
        1, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 300_000, 600_000, 1_800_000,
        3_600_000
    };

    /** In place of a status of gRPC for a request that is none of its calls. */
    public static final int NO_GRPC = -2;

    private static final String[] SIDES = {
        "reporter",
        "source_workload",
        "source_workload_namespace",
        "source_principal",
        "source_app",
        "source_version",
        "source_cluster",
        "source_canonical_service",
        "source_canonical_revision",
        "destination_workload",
        "destination_workload_namespace",
        "destination_principal",
        "destination_app",
        "destination_version",
        "destination_cluster",
        "destination_canonical_service",
        "destination_canonical_revision",
        "destination_service",
        "destination_service_name",
        "destination_service_namespace",
        "request_protocol",
        "response_flags",
        "connection_security_policy"
    };

    /**
     * The labels of a request.
     *
     * @param protocol {@code http}, {@code grpc} or {@code tcp}
     * @param code the status code sent downstream, 0 when none was
     * @param flags Envoy's response flags, {@code -} for none
     * @param grpc the status of a call of gRPC, -1 when it got none; {@link #NO_GRPC} for another request
     * @param report which end this is, and how it came there
     */
    public record Labels(
            WorkloadLabels source,
            WorkloadLabels destination,
            ServiceLabels service,
            String protocol,
            int code,
            String flags,
            int grpc,
            Report report) {
        /** Between workloads of one host. */
        public Labels(
                WorkloadLabels source,
                WorkloadLabels destination,
                ServiceLabels service,
                String protocol,
                int code,
                String flags,
                int grpc) {
            this(source, destination, service, protocol, code, flags, grpc, Report.LOCAL);
        }
    }

    /** Which end of a connection reports, and what protects it. */
    public enum Report {
        /** The one hop between two workloads of a host, where an address is an identity. */
        LOCAL("source", "none"),
        /** The caller's end of a tunnel to another node. */
        OUTBOUND("source", "mutual_tls"),
        /** The target's end of it. */
        INBOUND("destination", "mutual_tls");

        private final String reporter;
        private final String security;

        Report(String reporter, String security) {
            this.reporter = reporter;
            this.security = security;
        }
    }

    /** The series that calls of gRPC add to besides. */
    public record Messages(Counter requests, Counter responses) {}

    /**
     * The series that one request adds to.
     *
     * @param messages of calls of gRPC; null of other requests
     */
    public record Requests(
            Counter total,
            Histogram duration,
            Histogram requestBytes,
            Histogram responseBytes,
            @Nullable Messages messages) {
        /** Counts the messages of one call of gRPC. */
        public void messages(long requests, long responses) {
            if (messages != null) {
                messages.requests.add(requests);
                messages.responses.add(responses);
            }
        }

        /** Counts one finished request; bytes are those of the bodies. */
        public void record(long durationMicros, long requestBodyBytes, long responseBodyBytes) {
            total.increment();
            duration.record(durationMicros);
            requestBytes.record(requestBodyBytes);
            responseBytes.record(responseBodyBytes);
        }

        /**
         * Adds requests that were counted elsewhere. Of the bodies' sizes only the sums are known: in the histograms
         * of bytes each of these requests counts as one of the average size.
         *
         * @param durations requests by the buckets of the duration
         */
        public void add(long count, List<Long> durations, long micros, long requestBody, long responseBody) {
            if (count <= 0) {
                return;
            }
            total.add(count);
            duration.add(durations, micros);
            addAverage(requestBytes, count, requestBody);
            addAverage(responseBytes, count, responseBody);
        }

        private static void addAverage(Histogram histogram, long count, long sum) {
            long average = sum / count;
            long larger = sum - average * count;
            histogram.record(average, count - larger);
            histogram.record(average + 1, larger);
        }
    }

    /** The series that one TCP connection adds to, as its server sees it: sent is toward the client. */
    public record Connections(Counter opened, Counter closed, Counter sent, Counter received) {}

    private final MetricFamily<Counter> requests;
    private final MetricFamily<Histogram> duration;
    private final MetricFamily<Histogram> requestBytes;
    private final MetricFamily<Histogram> responseBytes;
    private final MetricFamily<Counter> requestMessages;
    private final MetricFamily<Counter> responseMessages;
    private final MetricFamily<Counter> opened;
    private final MetricFamily<Counter> closed;
    private final MetricFamily<Counter> sent;
    private final MetricFamily<Counter> received;

    /** Adds the metrics to a registry. */
    public IstioMetrics(MetricRegistry registry) {
        String[] coded = Arrays.copyOf(SIDES, SIDES.length + 2);
        coded[SIDES.length] = "response_code";
        coded[SIDES.length + 1] = "grpc_response_status";
        requests = registry.counter("istio_requests_total", "Requests that ended.", coded);
        duration = registry.histogram(
                "istio_request_duration_milliseconds",
                "Time from a request's head to the end of its response.",
                DURATION_MICROS,
                1_000,
                coded);
        requestBytes = registry.histogram("istio_request_bytes", "Bytes of requests' bodies.", BYTES, 1, coded);
        responseBytes = registry.histogram("istio_response_bytes", "Bytes of responses' bodies.", BYTES, 1, coded);
        requestMessages =
                registry.counter("istio_request_messages_total", "Messages of clients in calls of gRPC.", SIDES);
        responseMessages =
                registry.counter("istio_response_messages_total", "Messages of servers in calls of gRPC.", SIDES);
        opened = registry.counter(
                "istio_tcp_connections_opened_total", "Connections whose bytes nobody reads, opened.", SIDES);
        closed = registry.counter(
                "istio_tcp_connections_closed_total", "Connections whose bytes nobody reads, closed.", SIDES);
        sent = registry.counter("istio_tcp_sent_bytes_total", "Bytes sent to the client of a connection.", SIDES);
        received = registry.counter("istio_tcp_received_bytes_total", "Bytes received from the client.", SIDES);
    }

    /** The handle for requests with these labels. */
    public Requests requests(Labels labels) {
        List<String> values = sides(labels);
        Messages messages = labels.grpc == NO_GRPC
                ? null
                : new Messages(requestMessages.with(values), responseMessages.with(values));
        values.add(Integer.toString(labels.code));
        values.add(grpcStatus(labels.grpc));
        return new Requests(
                requests.with(values),
                duration.with(values),
                requestBytes.with(values),
                responseBytes.with(values),
                messages);
    }

    /** The handle for connections with these labels (the code is not used). */
    public Connections connections(Labels labels) {
        List<String> values = sides(labels);
        return new Connections(opened.with(values), closed.with(values), sent.with(values), received.with(values));
    }

    private static String grpcStatus(int number) {
        return number == NO_GRPC ? MetricFamily.ABSENT : number < 0 ? "" : Integer.toString(number);
    }

    private static List<String> sides(Labels labels) {
        List<String> values = new ArrayList<>(SIDES.length + 1);
        values.add(labels.report.reporter);
        workload(values, labels.source);
        workload(values, labels.destination);
        values.add(labels.service.host());
        values.add(labels.service.name());
        values.add(labels.service.namespace());
        values.add(labels.protocol);
        values.add(labels.flags);
        values.add(labels.report.security);
        return values;
    }

    private static void workload(List<String> values, WorkloadLabels labels) {
        values.add(labels.workload());
        values.add(labels.namespace());
        values.add(labels.principal());
        values.add(labels.app());
        values.add(labels.version());
        values.add("Kubernetes");
        values.add(labels.canonicalService());
        values.add(labels.canonicalRevision());
    }
}
