package dev.tulle.xds;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.protobuf.Any;
import com.google.protobuf.Descriptors.Descriptor;
import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.Message;
import dev.tulle.model.Listener.Target;
import dev.tulle.model.ResourceRef;
import dev.tulle.model.WeightedCluster;
import dev.tulle.xds.FieldTable.Field;
import dev.tulle.xds.FieldTable.MessageFields;
import dev.tulle.xds.FieldTable.Shape;
import dev.tulle.xds.FieldTable.Use;
import io.envoyproxy.envoy.config.cluster.v3.Cluster;
import io.envoyproxy.envoy.config.cluster.v3.OutlierDetection;
import io.envoyproxy.envoy.config.core.v3.TransportSocket;
import io.envoyproxy.envoy.config.endpoint.v3.ClusterLoadAssignment;
import io.envoyproxy.envoy.config.listener.v3.Filter;
import io.envoyproxy.envoy.config.listener.v3.Listener;
import io.envoyproxy.envoy.config.rbac.v3.RBAC;
import io.envoyproxy.envoy.config.route.v3.FilterConfig;
import io.envoyproxy.envoy.config.route.v3.RouteConfiguration;
import io.envoyproxy.envoy.extensions.filters.http.cors.v3.Cors;
import io.envoyproxy.envoy.extensions.filters.http.cors.v3.CorsPolicy;
import io.envoyproxy.envoy.extensions.filters.http.fault.v3.HTTPFault;
import io.envoyproxy.envoy.extensions.filters.http.router.v3.Router;
import io.envoyproxy.envoy.extensions.filters.listener.http_inspector.v3.HttpInspector;
import io.envoyproxy.envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol;
import io.envoyproxy.envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager;
import io.envoyproxy.envoy.extensions.filters.network.http_connection_manager.v3.HttpFilter;
import io.envoyproxy.envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy;
import io.envoyproxy.envoy.extensions.transport_sockets.proxy_protocol.v3.ProxyProtocolUpstreamTransport;
import io.envoyproxy.envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer;
import io.envoyproxy.envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext;
import io.envoyproxy.envoy.extensions.transport_sockets.tls.v3.Secret;
import io.envoyproxy.envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext;
import io.envoyproxy.envoy.extensions.upstreams.http.v3.HttpProtocolOptions;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** No field of a resource is dropped in silence: against Envoy's published messages, field by field. */
class FieldCheckTest {
    private static final List<Message> ROOTS = List.of(
            Cluster.getDefaultInstance(),
            ClusterLoadAssignment.getDefaultInstance(),
            Listener.getDefaultInstance(),
            RouteConfiguration.getDefaultInstance(),
            HTTPFault.getDefaultInstance(),
            Cors.getDefaultInstance(),
            CorsPolicy.getDefaultInstance(),
            FilterConfig.getDefaultInstance(),
            HttpConnectionManager.getDefaultInstance(),
            HttpInspector.getDefaultInstance(),
            HttpProtocolOptions.getDefaultInstance(),
            ProxyProtocol.getDefaultInstance(),
            ProxyProtocolUpstreamTransport.getDefaultInstance(),
            RawBuffer.getDefaultInstance(),
            DownstreamTlsContext.getDefaultInstance(),
            Router.getDefaultInstance(),
            Secret.getDefaultInstance(),
            TcpProxy.getDefaultInstance(),
            UpstreamTlsContext.getDefaultInstance());

    /** Containers, which say nothing when empty, what HTTP/1.1 says once more, and what only an empty value needs. */
    private static final Set<String> NO_DIFFERENCE = Set.of(
            "envoy.config.core.v3.HeaderValueOption.keep_empty_value",
            "envoy.config.endpoint.v3.ClusterLoadAssignment.endpoints",
            "envoy.config.endpoint.v3.ClusterLoadAssignment.policy",
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions.explicit_http_config",
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions.ExplicitHttpConfig.http_protocol_options");

    private final Set<String> tried = new TreeSet<>();
    private final Set<String> honoured = new TreeSet<>();
    private final Set<String> wrong = new TreeSet<>();

    @Test
    void everyFieldOfEnvoysMessagesIsListedWithItsName() {
        Map<String, Descriptor> theirs = new HashMap<>();
        ROOTS.forEach(root -> collect(root.getDescriptorForType(), theirs));
        for (MessageFields message : FieldTable.INSTANCE.messages().values()) {
            if (!message.name().startsWith("envoy.")) {
                continue;
            }
            Descriptor descriptor = theirs.get(message.name());
            assertTrue(descriptor != null, "Envoy has no " + message.name());
            for (FieldDescriptor field : descriptor.getFields()) {
                Field listed = message.find(field.getNumber());
                String name = message.name() + "." + field.getName();
                assertTrue(listed != null, name + " is not listed");
                assertEquals(field.getName(), listed.name(), name);
                Shape shape = field.isMapField() ? Shape.MAP : field.isRepeated() ? Shape.LIST : Shape.ONE;
                assertEquals(shape, listed.shape(), name);
                assertTrue(
                        listed.use() != Use.READ
                                || !mustBeLookedInto(field)
                                || !listed.type().isEmpty(),
                        name + " holds a message that nobody looks into");
            }
            assertEquals(descriptor.getFields().size(), message.byNumber().size(), message.name());
        }
    }

    private static boolean mustBeLookedInto(FieldDescriptor field) {
        return field.getJavaType() == FieldDescriptor.JavaType.MESSAGE
                && field.getMessageType().getFullName().startsWith("envoy.");
    }

    private static void collect(Descriptor descriptor, Map<String, Descriptor> into) {
        if (into.putIfAbsent(descriptor.getFullName(), descriptor) == null) {
            for (FieldDescriptor field : descriptor.getFields()) {
                if (field.getJavaType() == FieldDescriptor.JavaType.MESSAGE) {
                    collect(field.getMessageType(), into);
                }
            }
        }
    }

    /** Rare among random ones: several ports of the edge without a header, and one with it. */
    private static dev.tulle.model.Listener oneOfThreeAnnounced() {
        return new dev.tulle.model.Listener(
                dev.tulle.model.Listener.EDGE,
                "0.0.0.0",
                80,
                "",
                new Target.Edge(
                        IntStream.range(80, 83)
                                .mapToObj(port -> new Target.Chain(
                                        port,
                                        new Target.Tcp(List.of(new WeightedCluster("a", 1))),
                                        ResourceRef.DEFAULT))
                                .toList(),
                        Set.of(80)));
    }

    @Test
    void eachFieldIsHonouredHarmlessOrNamed() throws Exception {
        RandomModel model = new RandomModel(20261130);
        changes(oneOfThreeAnnounced(), Listener.parser());
        for (int i = 0; i < 30; i++) {
            changes(model.cluster(), Cluster.parser());
            changes(model.endpoints(), ClusterLoadAssignment.parser());
            changes(model.listener(), Listener.parser());
            changes(model.routes(), RouteConfiguration.parser());
            changes(model.certificate(), Secret.parser());
            changes(model.roots(), Secret.parser());
        }
        for (MessageFields message : FieldTable.INSTANCE.messages().values()) {
            for (Field field : message.byNumber().values()) {
                String name = message.name() + "." + field.name();
                boolean upstream = message.name().startsWith("envoy.");
                if (upstream && !tried.contains(name)) {
                    wrong.add(name + " was never tried");
                } else if (upstream
                        && field.use() == Use.READ
                        && !honoured.contains(name)
                        && !NO_DIFFERENCE.contains(name)) {
                    wrong.add(name + " made no difference");
                }
            }
        }
        assertEquals(Set.of(), wrong);
    }

    /** One resource that differs from a right one in one field. */
    private record Change(String path, Field field, String name, Message message) {}

    private void changes(Object value, com.google.protobuf.Parser<? extends Message> parser) throws Exception {
        Any ours = ResourceCodec.encode(value);
        List<Change> changes = new ArrayList<>();
        collect(parser.parseFrom(ours.getValue()), "", changes);
        for (Change change : changes) {
            tried.add(change.name());
            Any changed =
                    ours.toBuilder().setValue(change.message().toByteString()).build();
            Object decoded;
            try {
                decoded = ResourceCodec.decode(ours.getTypeUrl(), changed);
            } catch (InvalidResourceException e) {
                honoured.add(change.name());
                boolean named = String.valueOf(e.getMessage()).contains(change.path());
                if (change.field().use() == Use.IGNORED || (change.field().use() == Use.REFUSED && !named)) {
                    wrong.add(change.name() + ": " + e.getMessage());
                }
                continue;
            }
            boolean same = value.equals(decoded);
            if (!same) {
                honoured.add(change.name());
            }
            boolean right =
                    switch (change.field().use()) {
                        case READ -> true;
                        case IGNORED -> same;
                        case REFUSED -> false;
                    };
            if (!right) {
                wrong.add(change.name() + (same ? " is dropped" : " is not ignored"));
            }
        }
    }

    /** Changes each field of a message, and of those that it holds. */
    private static void collect(Message message, String path, List<Change> out) throws Exception {
        MessageFields fields = FieldTable.INSTANCE
                .message(message.getDescriptorForType().getFullName())
                .orElseThrow();
        for (FieldDescriptor descriptor : message.getDescriptorForType().getFields()) {
            Field field = java.util.Objects.requireNonNull(fields.find(descriptor.getNumber()));
            String name = fields.name() + "." + field.name();
            if (!field.type().isEmpty() && field.shape() == Shape.LIST) {
                for (int i = 0; i < message.getRepeatedFieldCount(descriptor); i++) {
                    int index = i;
                    List<Change> inner = new ArrayList<>();
                    String place = path + field.name() + "[" + i + "].";
                    collect((Message) message.getRepeatedField(descriptor, i), place, inner);
                    inner.forEach(change -> out.add(new Change(
                            change.path(),
                            change.field(),
                            change.name(),
                            message.toBuilder()
                                    .setRepeatedField(descriptor, index, change.message())
                                    .build())));
                }
            } else if (!field.type().isEmpty() && field.shape() == Shape.ONE && message.hasField(descriptor)) {
                List<Change> inner = new ArrayList<>();
                inside((Message) message.getField(descriptor), path + field.name() + ".", inner);
                inner.forEach(change -> out.add(new Change(
                        change.path(),
                        change.field(),
                        change.name(),
                        message.toBuilder()
                                .setField(descriptor, change.message())
                                .build())));
            }
            out.add(new Change(path + field.name(), field, name, changed(message, descriptor)));
        }
        maps(message, path, out);
    }

    private static void inside(Message held, String path, List<Change> out) throws Exception {
        if (!(held instanceof Any any)) {
            collect(held, path, out);
            return;
        }
        for (Message root : ROOTS) {
            if (any.getTypeUrl().endsWith("/" + root.getDescriptorForType().getFullName())) {
                List<Change> inner = new ArrayList<>();
                collect(root.getParserForType().parseFrom(any.getValue()), path, inner);
                inner.forEach(change -> out.add(new Change(
                        change.path(),
                        change.field(),
                        change.name(),
                        any.toBuilder()
                                .setValue(change.message().toByteString())
                                .build())));
            }
        }
    }

    /** What the two maps of typed configuration hold. */
    private static void maps(Message message, String path, List<Change> out) throws Exception {
        if (message instanceof Cluster cluster) {
            for (Map.Entry<String, Any> entry :
                    cluster.getTypedExtensionProtocolOptionsMap().entrySet()) {
                List<Change> inner = new ArrayList<>();
                inside(entry.getValue(), path + "typed_extension_protocol_options[" + entry.getKey() + "].", inner);
                inner.forEach(change -> out.add(new Change(
                        change.path(),
                        change.field(),
                        change.name(),
                        cluster.toBuilder()
                                .putTypedExtensionProtocolOptions(entry.getKey(), (Any) change.message())
                                .build())));
            }
        } else if (message instanceof io.envoyproxy.envoy.config.route.v3.Route route) {
            for (Map.Entry<String, Any> entry :
                    route.getTypedPerFilterConfigMap().entrySet()) {
                List<Change> inner = new ArrayList<>();
                inside(entry.getValue(), path + "typed_per_filter_config[" + entry.getKey() + "].", inner);
                inner.forEach(change -> out.add(new Change(
                        change.path(),
                        change.field(),
                        change.name(),
                        route.toBuilder()
                                .putTypedPerFilterConfig(entry.getKey(), (Any) change.message())
                                .build())));
            }
        }
    }

    private static Message changed(Message message, FieldDescriptor field) {
        Message.Builder out = message.toBuilder();
        if (field.isMapField()) {
            Message.Builder entry = out.newBuilderForField(field);
            entry.setField(field.getMessageType().findFieldByNumber(1), "other");
            return out.addRepeatedField(field, entry.build()).build();
        }
        if (field.isRepeated()) {
            Object value = field.getJavaType() == FieldDescriptor.JavaType.MESSAGE
                    ? out.newBuilderForField(field).build()
                    : other(field, field.getJavaType() == FieldDescriptor.JavaType.STRING ? "" : 0);
            return out.addRepeatedField(field, value).build();
        }
        if (field.getJavaType() != FieldDescriptor.JavaType.MESSAGE) {
            return out.setField(field, other(field, message.getField(field))).build();
        }
        Message held = (Message) message.getField(field);
        FieldDescriptor value = held.getDescriptorForType().findFieldByNumber(1);
        boolean wrapper = held.getDescriptorForType().getFullName().startsWith("google.protobuf.")
                && !(held instanceof Any)
                && value != null;
        if (wrapper && !value.isRepeated() && value.getJavaType() != FieldDescriptor.JavaType.MESSAGE) {
            Object next = other(value, held.getField(value));
            return out.setField(field, held.toBuilder().setField(value, next).build())
                    .build();
        }
        return message.hasField(field)
                ? out.clearField(field).build()
                : out.setField(field, out.newBuilderForField(field).build()).build();
    }

    private static Object other(FieldDescriptor field, Object value) {
        return switch (field.getJavaType()) {
            case INT -> (value instanceof Integer number ? number : 0) + 1;
            case LONG -> (value instanceof Long number ? number : 0L) + 1;
            case FLOAT -> (value instanceof Float number ? number : 0f) + 1;
            case DOUBLE -> (value instanceof Double number ? number : 0d) + 1;
            case BOOLEAN -> !Boolean.TRUE.equals(value);
            case STRING -> value + "x";
            case BYTE_STRING ->
                ((com.google.protobuf.ByteString) value).concat(com.google.protobuf.ByteString.copyFromUtf8("x"));
            case ENUM -> {
                var values = field.getEnumType().getValues();
                yield values.get((values.indexOf(value) + 1) % values.size());
            }
            case MESSAGE -> throw new IllegalArgumentException(field.getFullName());
        };
    }

    @Test
    void whatWouldLetRequestsPassIsNamedByItsPath() {
        assertEquals(
                "cannot be honoured: outlier_detection, transport_socket.typed_config of type type.googleapis.com/other.Socket",
                refusal(
                        Cluster.newBuilder()
                                .setOutlierDetection(OutlierDetection.getDefaultInstance())
                                .setTransportSocket(TransportSocket.newBuilder()
                                        .setName("tls")
                                        .setTypedConfig(
                                                Any.newBuilder().setTypeUrl("type.googleapis.com/other.Socket"))),
                        ResourceType.CLUSTER));
        Any rbac = Any.pack(RBAC.getDefaultInstance());
        assertEquals(
                "cannot be honoured: filter_chains[0].filters[1].typed_config of type " + rbac.getTypeUrl(),
                refusal(
                        Listener.newBuilder()
                                .addFilterChains(io.envoyproxy.envoy.config.listener.v3.FilterChain.newBuilder()
                                        .addFilters(Filter.newBuilder()
                                                .setTypedConfig(Any.pack(TcpProxy.getDefaultInstance())))
                                        .addFilters(Filter.newBuilder().setTypedConfig(rbac))),
                        ResourceType.LISTENER));
        assertEquals(
                "cannot be honoured: filter_chains[0].filters[0].typed_config.http_filters[0].typed_config of type "
                        + rbac.getTypeUrl(),
                refusal(
                        Listener.newBuilder()
                                .addFilterChains(io.envoyproxy.envoy.config.listener.v3.FilterChain.newBuilder()
                                        .addFilters(Filter.newBuilder()
                                                .setTypedConfig(Any.pack(HttpConnectionManager.newBuilder()
                                                        .addHttpFilters(HttpFilter.newBuilder()
                                                                .setTypedConfig(rbac))
                                                        .build())))),
                        ResourceType.LISTENER));
    }

    private static String refusal(Message.Builder resource, ResourceType<?> type) {
        Any any = Any.newBuilder()
                .setTypeUrl(type.typeUrl())
                .setValue(resource.build().toByteString())
                .build();
        return String.valueOf(
                assertThrows(InvalidResourceException.class, () -> ResourceCodec.decode(type.typeUrl(), any))
                        .getMessage());
    }
}
