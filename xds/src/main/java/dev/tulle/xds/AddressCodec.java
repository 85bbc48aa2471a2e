package dev.tulle.xds;

import com.google.protobuf.Any;
import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import dev.tulle.model.AppProtocol;
import dev.tulle.model.EndpointChoice;
import dev.tulle.model.Locality;
import dev.tulle.model.PortPath;
import dev.tulle.model.ResourceRef;
import dev.tulle.model.Service;
import dev.tulle.model.ServicePort;
import dev.tulle.model.Workload;
import dev.tulle.xds.proto.tulle.Origin;
import dev.tulle.xds.proto.tulle.PortDetails;
import dev.tulle.xds.proto.tulle.ServiceDetails;
import dev.tulle.xds.proto.tulle.WorkloadDetails;
import dev.tulle.xds.proto.tulle.WorkloadPort;
import dev.tulle.xds.proto.workload.Address;
import dev.tulle.xds.proto.workload.Extension;
import dev.tulle.xds.proto.workload.NetworkAddress;
import dev.tulle.xds.proto.workload.Port;
import dev.tulle.xds.proto.workload.WorkloadStatus;
import dev.tulle.xds.proto.workload.WorkloadType;
import java.util.ArrayList;
import java.util.List;

/**
 * {@link Service} and {@link Workload} as Istio's workload discovery has them; what that lacks travels in an extension,
 * which other clients skip.
 */
final class AddressCodec {
    private static final String SERVICE_EXTENSION = "dev.tulle.service";
    private static final String SERVICE_URL = "type.googleapis.com/tulle.v1.ServiceDetails";
    private static final String WORKLOAD_EXTENSION = "dev.tulle.workload";
    private static final String WORKLOAD_URL = "type.googleapis.com/tulle.v1.WorkloadDetails";

    private AddressCodec() {}

    static Address encode(Service service) {
        var out = dev.tulle.xds.proto.workload.Service.newBuilder()
                .setName(service.shortName())
                .setNamespace(service.namespace())
                .setHostname(service.hostname());
        for (String address : service.addresses()) {
            out.addAddresses(NetworkAddress.newBuilder().setAddress(AddressText.bytes(address)));
        }
        ServiceDetails.Builder details = ServiceDetails.newBuilder().setOrigin(origin(service.origin()));
        for (ServicePort port : service.ports()) {
            out.addPorts(Port.newBuilder()
                    .setServicePort(port.number())
                    .setTargetPort(port.targetPort())
                    .setAppProtocol(appProtocol(port.protocol())));
            PortDetails.Builder detail = PortDetails.newBuilder()
                    .setName(port.name())
                    .setProtocol(port.protocol().name());
            service.paths().stream()
                    .filter(path -> path.port() == port.number())
                    .findFirst()
                    .ifPresent(path -> detail.setPath(path.path().name())
                            .setReason(path.reason())
                            .setChoice(path.choice().kind().name())
                            .setStickySeconds(path.choice().stickySeconds())
                            .setPoliced(path.policed()));
            details.addPorts(detail);
        }
        out.addExtensions(extension(SERVICE_EXTENSION, SERVICE_URL, details.build()));
        return Address.newBuilder().setService(out).build();
    }

    static Address encode(Workload workload) {
        var out = dev.tulle.xds.proto.workload.Workload.newBuilder()
                .setUid(workload.uid())
                .setName(workload.name())
                .setNamespace(workload.namespace())
                .setServiceAccount(workload.serviceAccount())
                .setNode(workload.node())
                .setCanonicalName(workload.labels().getOrDefault("app", workload.name()))
                .setCanonicalRevision(workload.labels().getOrDefault("version", "latest"))
                .setWorkloadType(WorkloadType.POD)
                .setWorkloadName(workload.name())
                .addAllAuthorizationPolicies(workload.policies())
                .setStatus(workload.healthy() ? WorkloadStatus.HEALTHY : WorkloadStatus.UNHEALTHY);
        Locality locality = workload.locality();
        if (locality.isKnown()) {
            out.setLocality(dev.tulle.xds.proto.workload.Locality.newBuilder()
                    .setRegion(locality.region())
                    .setZone(locality.zone())
                    .setSubzone(locality.subzone()));
        }
        for (String address : workload.addresses()) {
            out.addAddresses(AddressText.bytes(address));
        }
        WorkloadDetails.Builder details = WorkloadDetails.newBuilder()
                .putAllLabels(workload.labels())
                .addAllServices(workload.services())
                .setOrigin(origin(workload.origin()))
                .setNodeAddress(workload.nodeAddress());
        for (Workload.WorkloadPort port : workload.ports()) {
            details.addPorts(WorkloadPort.newBuilder()
                    .setNumber(port.number())
                    .setProtocol(port.protocol().name()));
        }
        out.addExtensions(extension(WORKLOAD_EXTENSION, WORKLOAD_URL, details.build()));
        return Address.newBuilder().setWorkload(out).build();
    }

    static Object decode(Address address) throws InvalidProtocolBufferException {
        return switch (address.getTypeCase()) {
            case SERVICE -> decode(address.getService());
            case WORKLOAD -> decode(address.getWorkload());
            case TYPE_NOT_SET ->
                throw new IllegalArgumentException("an address that is neither a service nor a workload");
        };
    }

    private static Service decode(dev.tulle.xds.proto.workload.Service service) throws InvalidProtocolBufferException {
        ServiceDetails details = ServiceDetails.getDefaultInstance();
        for (Extension extension : service.getExtensionsList()) {
            if (extension.getConfig().getTypeUrl().equals(SERVICE_URL)) {
                details = ServiceDetails.parseFrom(extension.getConfig().getValue());
            }
        }
        List<String> addresses = new ArrayList<>();
        for (NetworkAddress address : service.getAddressesList()) {
            addresses.add(AddressText.text(address.getAddress()));
        }
        List<ServicePort> ports = new ArrayList<>();
        List<PortPath> paths = new ArrayList<>();
        for (int i = 0; i < service.getPortsCount(); i++) {
            Port port = service.getPorts(i);
            PortDetails detail = i < details.getPortsCount() ? details.getPorts(i) : PortDetails.getDefaultInstance();
            ports.add(new ServicePort(
                    port.getServicePort(),
                    port.getTargetPort(),
                    detail.getProtocol().isEmpty()
                            ? protocol(port.getAppProtocol())
                            : AppProtocol.valueOf(detail.getProtocol()),
                    detail.getName()));
            if (!detail.getPath().isEmpty()) {
                paths.add(new PortPath(
                        port.getServicePort(),
                        PortPath.Path.valueOf(detail.getPath()),
                        detail.getReason(),
                        choice(detail),
                        detail.getPoliced()));
            }
        }
        return new Service(
                service.getNamespace(), service.getHostname(), addresses, ports, origin(details.getOrigin()), paths);
    }

    private static EndpointChoice choice(PortDetails detail) {
        return detail.getChoice().isEmpty()
                ? EndpointChoice.RANDOM
                : new EndpointChoice(EndpointChoice.Kind.valueOf(detail.getChoice()), detail.getStickySeconds());
    }

    private static Workload decode(dev.tulle.xds.proto.workload.Workload workload)
            throws InvalidProtocolBufferException {
        WorkloadDetails details = WorkloadDetails.getDefaultInstance();
        for (Extension extension : workload.getExtensionsList()) {
            if (extension.getConfig().getTypeUrl().equals(WORKLOAD_URL)) {
                details = WorkloadDetails.parseFrom(extension.getConfig().getValue());
            }
        }
        List<String> addresses = new ArrayList<>();
        for (ByteString address : workload.getAddressesList()) {
            addresses.add(AddressText.text(address));
        }
        return new Workload(
                workload.getUid(),
                workload.getName(),
                workload.getNamespace(),
                workload.getServiceAccount(),
                workload.getNode(),
                addresses,
                details.getLabelsMap(),
                List.copyOf(details.getServicesList()),
                ports(details.getPortsList()),
                workload.getStatus() == WorkloadStatus.HEALTHY,
                workload.getAuthorizationPoliciesList(),
                origin(details.getOrigin()),
                new Locality(
                        workload.getLocality().getRegion(),
                        workload.getLocality().getZone(),
                        workload.getLocality().getSubzone()),
                details.getNodeAddress());
    }

    static List<Workload.WorkloadPort> ports(List<WorkloadPort> ports) {
        List<Workload.WorkloadPort> out = new ArrayList<>();
        for (WorkloadPort port : ports) {
            out.add(new Workload.WorkloadPort(port.getNumber(), AppProtocol.valueOf(port.getProtocol())));
        }
        return out;
    }

    private static Extension extension(String name, String typeUrl, com.google.protobuf.MessageLite message) {
        Any config = ResourceCodec.any(typeUrl, message);
        return Extension.newBuilder().setName(name).setConfig(config).build();
    }

    static Origin origin(ResourceRef origin) {
        return Origin.newBuilder()
                .setKind(origin.kind())
                .setNamespace(origin.namespace())
                .setName(origin.name())
                .setFile(origin.file())
                .setLine(origin.line())
                .build();
    }

    static ResourceRef origin(Origin origin) {
        return origin.getKind().isEmpty()
                ? ResourceRef.DEFAULT
                : new ResourceRef(
                        origin.getKind(), origin.getNamespace(), origin.getName(), origin.getFile(), origin.getLine());
    }

    private static dev.tulle.xds.proto.workload.AppProtocol appProtocol(AppProtocol protocol) {
        return switch (protocol) {
            case HTTP -> dev.tulle.xds.proto.workload.AppProtocol.HTTP11;
            case HTTP2 -> dev.tulle.xds.proto.workload.AppProtocol.HTTP2;
            case GRPC -> dev.tulle.xds.proto.workload.AppProtocol.GRPC;
            case TCP -> dev.tulle.xds.proto.workload.AppProtocol.TCP;
            case TLS -> dev.tulle.xds.proto.workload.AppProtocol.TLS;
            case UDP, AUTO -> dev.tulle.xds.proto.workload.AppProtocol.UNKNOWN;
        };
    }

    private static AppProtocol protocol(dev.tulle.xds.proto.workload.AppProtocol protocol) {
        return switch (protocol) {
            case HTTP11 -> AppProtocol.HTTP;
            case HTTP2 -> AppProtocol.HTTP2;
            case GRPC -> AppProtocol.GRPC;
            case TCP -> AppProtocol.TCP;
            case TLS -> AppProtocol.TLS;
            case UNKNOWN, UNRECOGNIZED -> AppProtocol.AUTO;
        };
    }
}
