package dev.tulle.agent.host;

import dev.tulle.common.Cidr;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Brings the loopback device's mesh addresses and routes to a plan, with {@code ip}. Blocks; one caller at a time. */
public final class HostNetwork {
    private final Cidr range;
    private final Cidr services;
    private final String range6;

    /**
     * For one node of one mesh.
     *
     * @param range the node's prefix: every address and route on {@code lo} inside it is this agent's. Not the whole
     *     workload range: other meshes, and others who use shared address space, may live in the rest of it
     * @param services the range of service addresses, likewise
     * @param range6 the first 96 bits of the workloads' IPv6 twins in text form
     */
    public HostNetwork(Cidr range, Cidr services, String range6) {
        this.range = range;
        this.services = services;
        this.range6 = range6;
    }

    /** True when the loopback device may carry IPv6 addresses. */
    public static boolean hasIpv6() {
        try {
            return Files.readString(Path.of("/proc/sys/net/ipv6/conf/lo/disable_ipv6"))
                    .strip()
                    .equals("0");
        } catch (IOException e) {
            return false;
        }
    }

    /** What is there now. */
    public NetPlan found() throws IOException {
        String addresses =
                Shell.run("ip", "-j", "addr", "show", "dev", "lo").orThrow().output();
        List<String> routes = new ArrayList<>();
        routes.add(Shell.run("ip", "-j", "-4", "route", "show", "table", "all", "dev", "lo")
                .orThrow()
                .output());
        if (hasIpv6()) {
            routes.add(Shell.run("ip", "-j", "-6", "route", "show", "table", "all", "dev", "lo")
                    .orThrow()
                    .output());
        }
        return NetPlan.found(addresses, routes, range, services, range6);
    }

    /**
     * Makes the host match the plan.
     *
     * @return the commands that were needed; empty when nothing was
     * @throws IOException when {@code ip} is missing or refuses
     */
    public List<List<String>> reconcile(NetPlan wanted) throws IOException {
        List<List<String>> commands = wanted.commandsFrom(found());
        for (List<String> command : commands) {
            List<String> full = new ArrayList<>(List.of("ip"));
            full.addAll(command);
            Shell.Outcome outcome = Shell.run(full, "", Shell.TIMEOUT);
            // A route may already have gone with the address that was its source.
            if (!outcome.ok() && !command.contains("del")) {
                throw new IOException(outcome.trouble());
            }
        }
        return commands;
    }
}
