package dev.tulle.agent;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import dev.tulle.common.Reason;
import java.util.Arrays;
import java.util.Comparator;
import org.junit.jupiter.api.Test;

/** Why a port that could go through the kernel does not. */
class PathsReportTest {
    @Test
    void whatTheKernelLeavesToTheProxyAlwaysHasAReason() {
        int last = Arrays.stream(Reason.values())
                .max(Comparator.comparingInt(Reason::number))
                .orElseThrow()
                .number();
        for (Reason reason : Reason.values()) {
            long[] counters = new long[last + 1];
            counters[reason.number()] = 7;
            String told = PathsReport.passedOn(counters);
            assertFalse(told.isEmpty(), reason.name());
            if (reason.name().startsWith("HTTP_") && told.contains("left to the proxy")) {
                assertEquals(
                        "left to the proxy on this host: 7 " + reason.text().replace("http: ", ""), told);
            }
        }
        assertEquals("the proxy has the first request of each connection", PathsReport.passedOn(new long[last + 1]));
    }

    @Test
    void theMostFrequentReasonComesFirst() {
        long[] counters = new long[Reason.values().length + 200];
        Reason[] two = Arrays.stream(Reason.values())
                .filter(reason -> {
                    long[] alone = new long[counters.length];
                    alone[reason.number()] = 1;
                    return PathsReport.passedOn(alone).startsWith("left to the proxy");
                })
                .limit(2)
                .toArray(Reason[]::new);
        counters[two[0].number()] = 1;
        counters[two[1].number()] = 9;
        assertEquals(
                "left to the proxy on this host: 9 " + two[1].text().replace("http: ", "") + "; 1 "
                        + two[0].text().replace("http: ", ""),
                PathsReport.passedOn(counters));
    }
}
