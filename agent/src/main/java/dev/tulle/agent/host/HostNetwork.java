package dev.tulle.agent.host;

import dev.tulle.common.Cidr;
import dev.tulle.kernel.BpfException;
import dev.tulle.kernel.RouteNetlink;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Brings the loopback device's mesh addresses and routes to a plan, by netlink. Blocks; one caller at a time. */
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

    /**
     * What is there now.
     *
     * @throws IOException saying what could not be listed
     */
    public NetPlan found() throws IOException {
        try (RouteNetlink netlink = RouteNetlink.open()) {
            return found(netlink);
        } catch (BpfException e) {
            throw failure(e);
        }
    }

    private NetPlan found(RouteNetlink netlink) {
        List<RouteNetlink.Route> routes = new ArrayList<>(netlink.routes4(RouteNetlink.LOOPBACK));
        if (!range6.isEmpty() && hasIpv6()) {
            routes.addAll(netlink.routes6(RouteNetlink.LOOPBACK));
        }
        return NetPlan.found(netlink.addresses(RouteNetlink.LOOPBACK), routes, range, services, range6);
    }

    /**
     * Makes the host match the plan. What was there or gone already, against what was found a moment before, is no
     * failure: a route may have gone with the address that was its source.
     *
     * @return the changes that were needed; empty when nothing was
     * @throws IOException saying which change the kernel refused, and why
     */
    public List<NetPlan.Change> reconcile(NetPlan wanted) throws IOException {
        try (RouteNetlink netlink = RouteNetlink.open()) {
            List<NetPlan.Change> changes = wanted.changesFrom(found(netlink));
            changes.forEach(change -> apply(netlink, change));
            return changes;
        } catch (BpfException e) {
            throw failure(e);
        }
    }

    private static void apply(RouteNetlink netlink, NetPlan.Change change) {
        int lo = RouteNetlink.LOOPBACK;
        switch (change) {
            case NetPlan.Change.DeleteRoute(var route) -> netlink.deleteRoute(lo, route);
            case NetPlan.Change.DeleteAddress(var address) -> netlink.deleteAddress(lo, address);
            case NetPlan.Change.AddAddress(var address) -> netlink.addAddress(lo, address);
            case NetPlan.Change.ReplaceRoute(var route) -> netlink.replaceRoute(lo, route);
        }
    }

    private static IOException failure(BpfException e) {
        return new IOException("loopback device: " + e.getMessage(), e);
    }
}
