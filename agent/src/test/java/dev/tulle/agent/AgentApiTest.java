package dev.tulle.agent;

import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonParser;
import dev.tulle.agent.enrol.EnrolRequest;
import dev.tulle.agent.enrol.EnrolSpec;
import dev.tulle.agent.enrol.RefusedException;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What members of the mesh's group may not have the agent do, which is root; and what is done with a warning. */
class AgentApiTest {
    private static EnrolSpec joining(String service, String namespace) throws RefusedException {
        String request = "{\"name\":\"a\",\"ports\":[\"http:80\"],\"service\":\"" + service + "\",\"namespace\":\""
                + namespace + "\"}";
        return EnrolRequest.parse(JsonParser.parseString(request).getAsJsonObject());
    }

    @Test
    void whoJoinsAServiceOfAnotherNamespaceIsTold() throws RefusedException {
        List<String> warnings = AgentApi.warnings(joining("web.default.svc.cluster.local", "team"));
        assertEquals(1, warnings.size());
        assertTrue(warnings.getFirst().endsWith("Expected --namespace default"), warnings.getFirst());
        for (EnrolSpec own : List.of(
                joining("web.default.svc.cluster.local", "default"),
                joining("web", "team"),
                joining("api.example.com", "team"))) {
            assertEquals(List.of(), AgentApi.warnings(own));
        }
    }

    private static EnrolSpec spec(String probe) throws RefusedException {
        String request = "{\"name\":\"a\",\"ports\":[\"http:80\"],\"probes\":[" + probe + "]}";
        return EnrolRequest.parse(JsonParser.parseString(request).getAsJsonObject());
    }

    @ParameterizedTest
    @ValueSource(strings = {"\"exec:true\"", "{\"exec\":{\"command\":[\"true\"]}}", "\"tcp:80\",\"exec:true\""})
    void aCommandIsRunForRootAlone(String probe) throws RefusedException {
        EnrolSpec spec = spec(probe);
        RefusedException refused = assertThrows(RefusedException.class, () -> AgentApi.checkProbes(spec, false));
        assertEquals(RefusedException.Code.FORBIDDEN, refused.code());
        assertDoesNotThrow(() -> AgentApi.checkProbes(spec, true));
    }

    @Test
    void otherProbesAreForAllWhoMayEnrol() throws RefusedException {
        EnrolSpec spec = spec("\"tcp:80\",\"http/health\"");
        assertDoesNotThrow(() -> AgentApi.checkProbes(spec, false));
    }
}
