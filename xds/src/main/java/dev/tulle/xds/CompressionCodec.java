package dev.tulle.xds;

import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import dev.tulle.model.Coding;
import dev.tulle.model.Compression;

/** {@link Compression} as a message of Tulle's own: Envoy has a filter for each coding, and nothing for a route to say to it. */
final class CompressionCodec implements FilterCodec<Compression> {
    @Override
    public Class<Compression> kind() {
        return Compression.class;
    }

    @Override
    public String name() {
        return "tulle.filters.http.compression";
    }

    @Override
    public String filterType() {
        return "";
    }

    @Override
    public String routeType() {
        return "tulle.v1.Compression";
    }

    @Override
    public dev.tulle.xds.proto.tulle.Compression encode(Compression filter) {
        var out = dev.tulle.xds.proto.tulle.Compression.newBuilder()
                .addAllTypes(filter.types())
                .setMinimum(filter.minimum());
        filter.codings().forEach(coding -> out.addCodings(coding.token()));
        return out.build();
    }

    @Override
    public Compression decode(ByteString message) throws InvalidProtocolBufferException {
        var settings = dev.tulle.xds.proto.tulle.Compression.parseFrom(message);
        return new Compression(
                settings.getCodingsList().stream()
                        .map(token -> Coding.of(token)
                                .orElseThrow(() -> new IllegalArgumentException("unknown coding " + token)))
                        .toList(),
                settings.getTypesList(),
                settings.getMinimum());
    }
}
