package dev.tulle.xds;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.protobuf.Any;
import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import com.google.protobuf.Parser;
import dev.tulle.xds.proto.envoy.service.discovery.v3.DeltaDiscoveryRequest;
import dev.tulle.xds.proto.envoy.service.discovery.v3.DeltaDiscoveryResponse;
import dev.tulle.xds.proto.envoy.service.discovery.v3.Resource;
import dev.tulle.xds.proto.envoy.service.discovery.v3.Status;
import io.envoyproxy.envoy.config.cluster.v3.Cluster;
import io.envoyproxy.envoy.config.endpoint.v3.ClusterLoadAssignment;
import io.envoyproxy.envoy.config.listener.v3.Listener;
import io.envoyproxy.envoy.config.route.v3.FilterConfig;
import io.envoyproxy.envoy.config.route.v3.RouteConfiguration;
import io.envoyproxy.envoy.extensions.filters.http.cors.v3.Cors;
import io.envoyproxy.envoy.extensions.filters.http.cors.v3.CorsPolicy;
import io.envoyproxy.envoy.extensions.filters.http.fault.v3.HTTPFault;
import io.envoyproxy.envoy.extensions.filters.http.router.v3.Router;
import io.envoyproxy.envoy.extensions.filters.listener.http_inspector.v3.HttpInspector;
import io.envoyproxy.envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol;
import io.envoyproxy.envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager;
import io.envoyproxy.envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy;
import io.envoyproxy.envoy.extensions.transport_sockets.proxy_protocol.v3.ProxyProtocolUpstreamTransport;
import io.envoyproxy.envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer;
import io.envoyproxy.envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext;
import io.envoyproxy.envoy.extensions.transport_sockets.tls.v3.Secret;
import io.envoyproxy.envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext;
import io.envoyproxy.envoy.extensions.upstreams.http.v3.HttpProtocolOptions;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/**
 * Our own message definitions, which hold only what is used, against Envoy's published ones: whatever we encode, Envoy's
 * classes read without an unknown field, and what they write again, we read as the same value.
 */
class UpstreamMessagesTest {
    private static final int ROUNDS = 100;

    /** Envoy's classes for what travels inside an Any, by the end of the type URL. */
    private static final Map<String, Parser<? extends Message>> INSIDE = Map.ofEntries(
            Map.entry("HttpConnectionManager", HttpConnectionManager.parser()),
            Map.entry("TcpProxy", TcpProxy.parser()),
            Map.entry("HTTPFault", HTTPFault.parser()),
            Map.entry("Cors", Cors.parser()),
            Map.entry("CorsPolicy", CorsPolicy.parser()),
            Map.entry("FilterConfig", FilterConfig.parser()),
            Map.entry("Router", Router.parser()),
            Map.entry("HttpInspector", HttpInspector.parser()),
            Map.entry("ProxyProtocol", ProxyProtocol.parser()),
            Map.entry("ProxyProtocolUpstreamTransport", ProxyProtocolUpstreamTransport.parser()),
            Map.entry("RawBuffer", RawBuffer.parser()),
            Map.entry("HttpProtocolOptions", HttpProtocolOptions.parser()),
            Map.entry("UpstreamTlsContext", UpstreamTlsContext.parser()),
            Map.entry("DownstreamTlsContext", DownstreamTlsContext.parser()));

    @Test
    void envoyReadsEveryFieldThatWeWrite() throws Exception {
        RandomModel model = new RandomModel(42);
        for (int i = 0; i < ROUNDS; i++) {
            check(model.cluster(), Cluster.parser());
            check(model.endpoints(), ClusterLoadAssignment.parser());
            check(model.listener(), Listener.parser());
            check(model.routes(), RouteConfiguration.parser());
            check(model.certificate(), Secret.parser());
            check(model.roots(), Secret.parser());
        }
    }

    @Test
    void theProtocolItselfHasTheSameFields() throws Exception {
        DeltaDiscoveryRequest request = DeltaDiscoveryRequest.newBuilder()
                .setNode(dev.tulle.xds.proto.envoy.config.core.v3.Node.newBuilder()
                        .setId("n1")
                        .setCluster("proxy")
                        .setUserAgentName("tulle")
                        .setUserAgentVersion("1"))
                .setTypeUrl("t")
                .addResourceNamesSubscribe("a")
                .addResourceNamesUnsubscribe("b")
                .putInitialResourceVersions("c", "1")
                .setResponseNonce("7")
                .setErrorDetail(Status.newBuilder().setCode(3).setMessage("bad"))
                .build();
        Message theirs =
                io.envoyproxy.envoy.service.discovery.v3.DeltaDiscoveryRequest.parseFrom(request.toByteString());
        assertKnown(theirs);
        assertEquals(request, DeltaDiscoveryRequest.parseFrom(theirs.toByteString()));
        DeltaDiscoveryResponse response = DeltaDiscoveryResponse.newBuilder()
                .setSystemVersionInfo("1")
                .setTypeUrl("t")
                .setNonce("7")
                .addRemovedResources("x")
                .addResources(Resource.newBuilder()
                        .setName("a")
                        .addAliases("/1.2.3.4")
                        .setVersion("v")
                        .setResource(ResourceCodec.encode(new RandomModel(1).cluster())))
                .build();
        theirs = io.envoyproxy.envoy.service.discovery.v3.DeltaDiscoveryResponse.parseFrom(response.toByteString());
        assertKnown(theirs);
        assertEquals(response, DeltaDiscoveryResponse.parseFrom(theirs.toByteString()));
    }

    private static void check(Object value, Parser<? extends Message> parser) throws Exception {
        Any ours = ResourceCodec.encode(value);
        Message theirs = parser.parseFrom(ours.getValue());
        assertKnown(theirs);
        ByteString again = theirs.toByteString();
        assertEquals(
                value,
                ResourceCodec.decode(
                        ours.getTypeUrl(), ours.toBuilder().setValue(again).build()));
    }

    private static void assertKnown(Message message) throws InvalidProtocolBufferException {
        assertTrue(message.getUnknownFields().asMap().isEmpty(), message.toString());
        if (message instanceof Any any) {
            String type = any.getTypeUrl().substring(any.getTypeUrl().lastIndexOf('.') + 1);
            Parser<? extends Message> parser = INSIDE.get(type);
            if (parser != null) {
                assertKnown(parser.parseFrom(any.getValue()));
            }
            return;
        }
        for (Object value : message.getAllFields().values()) {
            List<?> all = value instanceof List<?> list ? list : List.of(value);
            for (Object one : all) {
                if (one instanceof Message nested) {
                    assertKnown(nested);
                }
            }
        }
    }
}
