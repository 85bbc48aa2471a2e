package dev.tulle.proxy;

/** What an agent answers about a caller. */
final class Whois {
    private Whois() {}

    /**
     * The line of the local API.
     *
     * @param uid the workload, whose account has its name; empty: nobody of the mesh
     */
    static String answer(String uid) {
        return "{\"ok\":true,\"result\":" + result(uid) + "}";
    }

    private static String result(String uid) {
        if (uid.isEmpty()) {
            return "{\"workload\":\"\",\"outside\":true}";
        }
        String[] parts = uid.split("/");
        return "{\"workload\":\"%s\",\"lease\":%d,\"name\":\"%s\",\"namespace\":\"%s\",\"principal\":\"%s\"}"
                .formatted(
                        uid,
                        uid.hashCode() & 0xffff_ffffL,
                        parts[2],
                        parts[1],
                        "cluster.local/ns/" + parts[1] + "/sa/" + parts[2]);
    }
}
