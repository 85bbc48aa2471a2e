package dev.tulle.xds;

import com.google.protobuf.Any;
import com.google.protobuf.MessageLite;
import dev.tulle.model.AuthorizationPolicy;
import dev.tulle.model.Cluster;
import dev.tulle.model.EndpointSet;
import dev.tulle.model.Listener;
import dev.tulle.model.RouteConfiguration;
import dev.tulle.model.Secret;
import dev.tulle.model.Service;
import dev.tulle.model.Workload;
import dev.tulle.xds.proto.envoy.config.endpoint.v3.ClusterLoadAssignment;
import dev.tulle.xds.proto.security.Authorization;
import dev.tulle.xds.proto.workload.Address;
import java.io.IOException;
import java.util.List;

/**
 * Model to protobuf and back, for every resource type. Type URLs are compared as strings and no descriptor is asked for:
 * Envoy's are large and would cost start-up time and memory.
 */
final class ResourceCodec {
    private ResourceCodec() {}

    /**
     * Encodes a value.
     *
     * @throws IllegalArgumentException when the value has a form that the protocol cannot express; the message says which
     */
    static Any encode(Object value) {
        return switch (value) {
            case Cluster cluster -> any(ResourceType.CLUSTER.typeUrl(), ClusterCodec.encode(cluster));
            case EndpointSet endpoints -> any(ResourceType.ENDPOINTS.typeUrl(), EndpointsCodec.encode(endpoints));
            case Listener listener -> any(ResourceType.LISTENER.typeUrl(), ListenerCodec.encode(listener));
            case RouteConfiguration routes -> any(ResourceType.ROUTE.typeUrl(), RouteCodec.encode(routes));
            case AuthorizationPolicy policy ->
                any(ResourceType.AUTHORIZATION.typeUrl(), AuthorizationCodec.encode(policy));
            case Service service -> any(ResourceType.ADDRESS_URL, AddressCodec.encode(service));
            case Workload workload -> any(ResourceType.ADDRESS_URL, AddressCodec.encode(workload));
            case Secret secret -> any(ResourceType.SECRET.typeUrl(), SecretCodec.encode(secret));
            default ->
                throw new IllegalArgumentException(
                        "no resource type for a " + value.getClass().getName());
        };
    }

    /**
     * Decodes a resource; services and workloads share a type on the wire, so the result says what it was.
     *
     * @throws InvalidResourceException when the bytes or their content cannot be used
     */
    static Object decode(String typeUrl, Any any) throws InvalidResourceException {
        if (!any.getTypeUrl().equals(typeUrl)) {
            throw new InvalidResourceException("type is " + any.getTypeUrl() + ", expected " + typeUrl);
        }
        try {
            List<String> unhonoured = FieldCheck.unhonoured(any);
            if (!unhonoured.isEmpty()) {
                throw new InvalidResourceException("cannot be honoured: " + String.join(", ", unhonoured));
            }
            if (typeUrl.equals(ResourceType.CLUSTER.typeUrl())) {
                return ClusterCodec.decode(
                        dev.tulle.xds.proto.envoy.config.cluster.v3.Cluster.parseFrom(any.getValue()));
            } else if (typeUrl.equals(ResourceType.ENDPOINTS.typeUrl())) {
                return EndpointsCodec.decode(ClusterLoadAssignment.parseFrom(any.getValue()));
            } else if (typeUrl.equals(ResourceType.LISTENER.typeUrl())) {
                return ListenerCodec.decode(
                        dev.tulle.xds.proto.envoy.config.listener.v3.Listener.parseFrom(any.getValue()));
            } else if (typeUrl.equals(ResourceType.ROUTE.typeUrl())) {
                return RouteCodec.decode(
                        dev.tulle.xds.proto.envoy.config.route.v3.RouteConfiguration.parseFrom(any.getValue()));
            } else if (typeUrl.equals(ResourceType.AUTHORIZATION.typeUrl())) {
                return AuthorizationCodec.decode(Authorization.parseFrom(any.getValue()));
            } else if (typeUrl.equals(ResourceType.ADDRESS_URL)) {
                return AddressCodec.decode(Address.parseFrom(any.getValue()));
            } else if (typeUrl.equals(ResourceType.SECRET.typeUrl())) {
                return SecretCodec.decode(
                        dev.tulle.xds.proto.envoy.extensions.transport_sockets.tls.v3.Secret.parseFrom(any.getValue()));
            }
            throw new InvalidResourceException("type " + typeUrl + " is not one of this client's");
        } catch (IOException e) {
            throw new InvalidResourceException("not a " + typeUrl + ": " + e.getMessage(), e);
        } catch (IllegalArgumentException e) {
            throw new InvalidResourceException(String.valueOf(e.getMessage()), e);
        }
    }

    static Any any(String typeUrl, MessageLite message) {
        return Any.newBuilder()
                .setTypeUrl(typeUrl)
                .setValue(message.toByteString())
                .build();
    }
}
