package dev.tulle.agent.enrol;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonParser;
import dev.tulle.agent.enrol.EnrolSpec.Publication;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What may be asked for, and the one sentence that says what is wrong. */
class EnrolRequestTest {
    private static EnrolSpec parse(String json) throws RefusedException {
        return EnrolRequest.parse(JsonParser.parseString(json).getAsJsonObject());
    }

    @Test
    void readsEverythingAndWritesItBack() throws RefusedException {
        EnrolSpec spec = parse("""
                {"name":"reviews-v1","namespace":"shop","service":"reviews","serviceAccount":"reviewer",
                 "labels":{"version":"v1","app.example/part":"A_1"},"ports":["http:9080","9090"],
                 "publish":["8080:9080","127.0.0.1:8081:9080","[::1]:8082:9080"],"permit":["host","outside:9080"],
                 "probes":["http/health","tcp:9090","exec:test -e /tmp/x",
                  {"grpc":{"port":9090,"service":"a.B"},"periodMillis":50},"grpc","grpc:9091/a.B",
                  {"httpGet":{"path":"/ready"},"periodMillis":50,"timeoutSeconds":2,"failureThreshold":5}]}""");
        assertEquals("shop/reviews-v1", spec.key());
        assertEquals("reviews-v1.shop", spec.directoryName());
        assertEquals(new Publication("::1", 8082, 9080), spec.publications().get(2));
        assertEquals(
                new Probe.Check.Http(9080, "/health"), spec.probes().getFirst().check());
        assertEquals(
                List.of(
                        new Probe.Check.Grpc(9090, "a.B"),
                        new Probe.Check.Grpc(9080, ""),
                        new Probe.Check.Grpc(9091, "a.B")),
                spec.probes().subList(3, 6).stream().map(Probe::check).toList());
        assertEquals(50, spec.probes().get(6).interval().toMillis());
        assertEquals(spec, EnrolRequest.parse(EnrolJson.toJson(spec)));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "{} | name is missing",
                "{'name':'Reviews'} | name 'Reviews': expected at most 63 lower-case",
                "{'name':'a.b'} | name 'a.b'",
                "{'name':'-a'} | name '-a'",
                "{'name':'a','namespace':'A'} | namespace 'A'",
                "{'name':'a','service':'x_y'} | service 'x_y'",
                "{'name':'a','colour':'red'} | unknown field 'colour'",
                "{'name':'a','ports':['http:0']} | expected a port from 1 to 65535, found '0'",
                "{'name':'a','ports':['65536']} | found '65536'",
                "{'name':'a','ports':['gopher:70']} | unknown protocol 'gopher'",
                "{'name':'a','ports':['http:80','80']} | port 80 is declared twice",
                "{'name':'a','ports':'80'} | ports: expected a list",
                "{'name':'a','publish':['80']} | expected [ADDRESS:]PORT:PORT",
                "{'name':'a','publish':['x:80:80']} | 'x' is no IP address",
                "{'name':'a','permit':['all']} | permit 'all'",
                "{'name':'a','labels':{'a b':'c'}} | label 'a b'",
                "{'name':'a','labels':{'a':'b c'}} | label a, value 'b c'",
                "{'name':'a','probes':['http']} | declares no port",
                "{'name':'a','probes':['ping']} | probe 'ping'",
                "{'name':'a','probes':[{'tcpSocket':{'port':1},'exec':{'command':['x']}}]} | exactly one of",
                "{'name':'a','probes':[{'grpc':{}}]} | declares no port",
                "{'name':'a','probes':[{'grpc':{'port':1,'service':'a b'}}]} | service 'a b': expected a name",
                "{'name':'a','probes':['grpc:x/a']} | expected a port from 1 to 65535, found 'x'",
                "{'name':'a','probes':[{'ping':{}}]} | unknown field 'ping'",
                "{'name':'a','new':[]} | new: expected true or false, found []",
                "{'name':'a','new':'yes'} | new: expected true or false",
                "{'name':'a','pid':0} | pid: expected a number from 1",
                "{'name':'a','pid':5,'unit':'x.service'} | only one of unit, cgroup, pid and new",
                "{'name':'a','unit':'../x'} | name of a systemd unit",
            })
    void saysWhatIsWrong(String json, String expected) {
        RefusedException refused = assertThrows(RefusedException.class, () -> parse(json.replace('\'', '"')));
        assertTrue(refused.getMessage().contains(expected), refused.getMessage());
    }
}
