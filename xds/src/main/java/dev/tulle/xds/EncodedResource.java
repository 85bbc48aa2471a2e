package dev.tulle.xds;

import com.google.protobuf.Any;
import dev.tulle.xds.proto.envoy.service.discovery.v3.Resource;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;

/**
 * A resource as it goes over the wire, encoded once and shared by all clients. Its version is a digest of its content, so
 * that it is the same after a restart of the control plane and unchanged resources are not sent again.
 *
 * @param source the model value, to see cheaply whether a later value is the same
 * @param message what is sent, with name, aliases and version
 */
record EncodedResource(Object source, Resource message) {
    private static final int VERSION_BYTES = 12;

    static EncodedResource of(String name, List<String> aliases, Object source) {
        Any any = ResourceCodec.encode(source);
        return new EncodedResource(
                source,
                Resource.newBuilder()
                        .setName(name)
                        .addAllAliases(aliases)
                        .setVersion(version(any, aliases))
                        .setResource(any)
                        .build());
    }

    String name() {
        return message.getName();
    }

    List<String> aliases() {
        return message.getAliasesList();
    }

    String version() {
        return message.getVersion();
    }

    /** Without the content, which may be a secret. */
    @Override
    public String toString() {
        return name() + " " + version();
    }

    private static String version(Any any, List<String> aliases) {
        try {
            MessageDigest digest = MessageDigest.getInstance("SHA-256");
            digest.update(any.getValue().toByteArray());
            aliases.forEach(alias -> digest.update(alias.getBytes(StandardCharsets.UTF_8)));
            return HexFormat.of().formatHex(digest.digest(), 0, VERSION_BYTES);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java platform has SHA-256", e);
        }
    }
}
