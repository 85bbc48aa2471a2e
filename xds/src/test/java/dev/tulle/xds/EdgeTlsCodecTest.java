package dev.tulle.xds;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.protobuf.Any;
import dev.tulle.model.EdgeTls;
import dev.tulle.xds.proto.envoy.config.core.v3.TransportSocket;
import dev.tulle.xds.proto.envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext;
import dev.tulle.xds.proto.envoy.extensions.transport_sockets.tls.v3.SubjectAltNameMatcher;
import org.junit.jupiter.api.Test;

/** What the table of fields cannot refuse, because clients of endpoints honour it. */
class EdgeTlsCodecTest {
    private static final EdgeTls MUTUAL = new EdgeTls("/chain.pem", "/key.pem", "/callers.pem", false);

    @Test
    void whatIsWrittenIsRead() throws Exception {
        assertEquals(MUTUAL, EdgeTlsCodec.decode(EdgeTlsCodec.encode(MUTUAL)));
    }

    /** They would let in everybody whom the authorities know. */
    @Test
    void namesOfCallersAreRefused() throws Exception {
        TransportSocket socket = EdgeTlsCodec.encode(MUTUAL);
        DownstreamTlsContext.Builder context =
                DownstreamTlsContext.parseFrom(socket.getTypedConfig().getValue()).toBuilder();
        context.getCommonTlsContextBuilder()
                .getValidationContextBuilder()
                .addMatchTypedSubjectAltNames(SubjectAltNameMatcher.getDefaultInstance());
        TransportSocket named = socket.toBuilder()
                .setTypedConfig(Any.newBuilder()
                        .setTypeUrl(socket.getTypedConfig().getTypeUrl())
                        .setValue(context.build().toByteString()))
                .build();
        IllegalArgumentException why = assertThrows(IllegalArgumentException.class, () -> EdgeTlsCodec.decode(named));
        assertTrue(String.valueOf(why.getMessage()).contains("match_typed_subject_alt_names"), why.getMessage());
    }
}
