package dev.tulle.proxy.hbone;

import dev.tulle.common.Ip;
import dev.tulle.proxy.loop.ByteSink;
import dev.tulle.proxy.upstream.From;
import dev.tulle.telemetry.WorkloadLabels;
import io.netty.handler.codec.http2.DefaultHttp2Headers;
import io.netty.handler.codec.http2.Http2Headers;
import io.netty.util.AsciiString;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;

/**
 * The question for a tunnel, as nodes of Istio ask it: the workload's address and port, and who calls, in words. What these
 * words say counts for metrics only; who the caller is, its certificate says.
 */
final class Asking {
    private static final AsciiString CONNECT = AsciiString.cached("CONNECT");
    private static final AsciiString BAGGAGE = AsciiString.cached("baggage");
    private static final AsciiString FORWARDED = AsciiString.cached("forwarded");

    private Asking() {}

    static Http2Headers fields(From from, InetSocketAddress workload) {
        Http2Headers fields = new DefaultHttp2Headers(false, 8);
        fields.method(CONNECT);
        fields.authority(new AsciiString(Answers.text(workload)));
        WorkloadLabels labels = from.labels();
        if (!labels.workload().isEmpty()) {
            fields.add(BAGGAGE, value(baggage(labels)));
        }
        InetAddress address = from.address();
        if (address != null) {
            fields.add(FORWARDED, value("for=" + forwarded(address)));
        }
        return fields;
    }

    /** An address of IPv6 is in brackets and quotes (RFC 7239 section 6). */
    private static String forwarded(InetAddress address) {
        String text = Ip.text(address);
        return text.indexOf(':') < 0 ? text : "\"[" + text + "]\"";
    }

    private static String baggage(WorkloadLabels labels) {
        StringBuilder text = new StringBuilder();
        add(text, "k8s.cluster.name", "Kubernetes");
        add(text, "k8s.namespace.name", labels.namespace());
        add(text, "k8s.deployment.name", labels.workload());
        add(text, "service.name", labels.canonicalService());
        add(text, "service.version", labels.canonicalRevision());
        return text.toString();
    }

    private static void add(StringBuilder to, String key, String value) {
        if (!value.isEmpty()) {
            to.append(to.isEmpty() ? "" : ",")
                    .append(key)
                    .append('=')
                    .append(URLEncoder.encode(value, StandardCharsets.UTF_8).replace("+", "%20"));
        }
    }

    private static AsciiString value(String text) {
        ByteSink sink = new ByteSink().value(text);
        return new AsciiString(sink.array(), 0, sink.length(), true);
    }
}
