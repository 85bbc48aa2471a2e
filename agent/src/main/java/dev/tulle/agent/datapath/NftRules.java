package dev.tulle.agent.datapath;

import dev.tulle.common.Cidr;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * The text of the nftables tier's table. Pure.
 *
 * <p>The rules match a socket's control group by path, which nft resolves to the kernel's number when the rules are
 * loaded, relative to {@code /sys/fs/cgroup} wherever the hierarchy is mounted below it; so the rules are loaded again
 * whenever a group comes or goes.
 */
final class NftRules {
    private static final Path BASE = Path.of("/sys/fs/cgroup");

    private NftRules() {}

    /** The path of a group as nft wants it; empty when the hierarchy is mounted where nft does not look. */
    static Optional<String> path(Path mount, String group) {
        if (!mount.startsWith(BASE)) {
            return Optional.empty();
        }
        String below = BASE.relativize(mount).toString();
        String name = group.substring(1);
        return Optional.of(below.isEmpty() ? name : below + "/" + name);
    }

    /**
     * The table that captures the sockets of these groups.
     *
     * @param table the table's name, the mesh's
     * @param mount the hierarchy's mount point, below {@code /sys/fs/cgroup}
     * @param groups groups relative to the hierarchy, each of which exists
     */
    static String table(String table, Path mount, List<String> groups, Cidr services, int outboundPort, int dnsPort) {
        StringBuilder rules = new StringBuilder();
        for (String group : groups) {
            String path =
                    path(mount, group).orElseThrow(() -> new IllegalArgumentException(mount + " is not below " + BASE));
            long level = group.chars().filter(c -> c == '/').count();
            String match = "    socket cgroupv2 level " + level + " \"" + path.replace("\\", "\\\\") + "\" ";
            rules.append(match)
                    .append("ip daddr ")
                    .append(services)
                    .append(" meta l4proto tcp redirect to :")
                    .append(outboundPort)
                    .append('\n');
            rules.append(match)
                    .append("udp dport 53 redirect to :")
                    .append(dnsPort)
                    .append('\n');
            rules.append(match)
                    .append("tcp dport 53 redirect to :")
                    .append(dnsPort)
                    .append('\n');
        }
        // Adding before deleting makes the deletion succeed also when there is no table; all in one transaction.
        return "add table inet " + table + "\n"
                + "delete table inet " + table + "\n"
                + "table inet " + table + " {\n"
                + "  chain output {\n"
                + "    type nat hook output priority -100; policy accept;\n"
                + rules
                + "  }\n"
                + "}\n";
    }

    /** Removes the table, also when there is none. */
    static String removal(String table) {
        return "add table inet " + table + "\ndelete table inet " + table + "\n";
    }
}
