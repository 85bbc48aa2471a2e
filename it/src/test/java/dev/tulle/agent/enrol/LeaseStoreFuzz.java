package dev.tulle.agent.enrol;

import dev.tulle.it.fuzz.Cost;
import java.nio.charset.StandardCharsets;
import java.util.List;

/**
 * The text of leases in its file: refused by an exception, which its reader answers with none, or the same after it was
 * written again.
 */
public final class LeaseStoreFuzz {
    private LeaseStoreFuzz() {}

    /** One file. */
    public static void fuzzerTestOneInput(byte[] data) {
        Cost.within(data.length, 400_000, 2_000, () -> check(new String(data, StandardCharsets.UTF_8)));
    }

    private static void check(String body) {
        LeaseStore.Contents contents;
        try {
            contents = LeaseStore.decode(body);
        } catch (RefusedException | RuntimeException e) {
            return;
        }
        try {
            Cost.must(LeaseStore.decode(LeaseStore.encode(contents)).equals(contents), "another content: " + contents);
        } catch (RefusedException e) {
            throw new AssertionError("what was written is refused", e);
        }
    }

    /** A file with a lease of each source. */
    public static List<byte[]> seeds() {
        String lease = "{\"request\":{\"name\":\"a\",\"ports\":[\"http:80\"]%s},\"address\":\"100.64.0.7\",\"id\":7,"
                + "\"group\":\"/tulle/a\",\"groupId\":77,\"ownGroup\":true,\"started\":\"2026-01-01T00:00:00Z\","
                + "\"state\":\"RUNNING\"}";
        return List.of(("{\"schema\":1,\"prefix\":\"100.64.0.0/24\",\"leases\":[" + lease.formatted("") + ","
                        + lease.formatted(",\"unit\":\"a.service\"") + "," + lease.formatted(",\"cgroup\":\"/x\"")
                        + "],\"memory\":{\"default/a\":\"100.64.0.7\"}}")
                .getBytes(StandardCharsets.UTF_8));
    }
}
