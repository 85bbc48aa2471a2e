package dev.tulle.agent.host;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import dev.tulle.common.Cidr;
import dev.tulle.common.Ip;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/**
 * The addresses and routes of the mesh on the loopback device: what is wanted, what is found, and the commands that turn
 * one into the other. Pure.
 *
 * @param addresses addresses with prefix length on {@code lo}, for example {@code 100.64.3.1/32}
 * @param routes routes on {@code lo}
 */
public record NetPlan(Set<String> addresses, Set<LoRoute> routes) {
    /** Nothing. */
    public static final NetPlan EMPTY = new NetPlan(Set.of(), Set.of());

    public NetPlan {
        addresses = Set.copyOf(addresses);
        routes = Set.copyOf(routes);
    }

    /**
     * A route on the loopback device.
     *
     * @param destination the network in canonical text form
     * @param local true for a local route (the addresses are this host's), false for one that only leads to {@code lo}
     * @param source the preferred source address, empty when none is
     */
    public record LoRoute(String destination, boolean local, String source) {
        boolean v6() {
            return destination.contains(":");
        }
    }

    /**
     * The plan of a node that has its own prefix (tiers with an address per workload). IPv4 needs the route alone; an
     * IPv6 source address must stand on an interface.
     *
     * @param prefix6 the first 96 bits of the IPv6 twins, in text form; empty where IPv6 is off
     * @param workloads the workloads' addresses as numbers
     */
    public static NetPlan ofPrefix(Cidr prefix, String prefix6, List<Integer> workloads) {
        Set<String> addresses = new LinkedHashSet<>();
        Set<LoRoute> routes = new LinkedHashSet<>();
        String host = Ip.text4(prefix.host(1));
        addresses.add(host + "/32");
        routes.add(new LoRoute(prefix.toString(), true, host));
        if (!prefix6.isEmpty()) {
            String host6 = Ip.twin(prefix6, prefix.host(1));
            addresses.add(host6 + "/128");
            addresses.add(Ip.twin(prefix6, prefix.host(2)) + "/128");
            addresses.add(Ip.twin(prefix6, prefix.host(3)) + "/128");
            workloads.forEach(address -> addresses.add(Ip.twin(prefix6, address) + "/128"));
            routes.add(new LoRoute(Ip.twin(prefix6, prefix.network()) + "/" + (96 + prefix.bits()), true, host6));
        }
        return new NetPlan(addresses, routes);
    }

    /**
     * The plan of the nftables tier: the redirect happens after the route is chosen, so service addresses need one; it
     * leads to {@code lo} and makes callers arrive from 127.0.0.1.
     */
    public static NetPlan ofServices(Cidr services) {
        return new NetPlan(Set.of(), Set.of(new LoRoute(services.toString(), false, "127.0.0.1")));
    }

    /** The commands (arguments of {@code ip}) that bring {@code found} to this plan, in order. */
    public List<List<String>> commandsFrom(NetPlan found) {
        List<List<String>> commands = new ArrayList<>();
        for (LoRoute route : found.routes) {
            if (!routes.contains(route)) {
                commands.add(route("del", route));
            }
        }
        for (String address : found.addresses) {
            if (!addresses.contains(address)) {
                commands.add(List.of("addr", "del", address, "dev", "lo"));
            }
        }
        for (String address : addresses) {
            if (!found.addresses.contains(address)) {
                commands.add(
                        address.contains(":")
                                ? List.of("addr", "add", address, "dev", "lo", "nodad")
                                : List.of("addr", "add", address, "dev", "lo"));
            }
        }
        for (LoRoute route : routes) {
            if (!found.routes.contains(route)) {
                commands.add(route("replace", route));
            }
        }
        return commands;
    }

    private static List<String> route(String verb, LoRoute route) {
        List<String> command = new ArrayList<>();
        if (route.v6()) {
            command.add("-6");
        }
        command.addAll(List.of("route", verb));
        if (route.local()) {
            command.add("local");
        }
        command.addAll(List.of(route.destination(), "dev", "lo"));
        if (!route.source().isEmpty() && !verb.equals("del")) {
            command.addAll(List.of("src", route.source()));
        }
        return command;
    }

    /**
     * Reads the mesh's share of what {@code ip -j} printed.
     *
     * @param addressJson of {@code ip -j addr show dev lo}
     * @param routeJson of {@code ip -j route show table all dev lo}, IPv4 and IPv6, each an array
     * @param range the workload range
     * @param services the range of service addresses
     * @param range6 the first 96 bits of IPv6 twins of workloads
     */
    public static NetPlan found(String addressJson, List<String> routeJson, Cidr range, Cidr services, String range6) {
        Set<String> addresses = new LinkedHashSet<>();
        for (JsonElement device : array(addressJson)) {
            JsonElement infos = device.getAsJsonObject().get("addr_info");
            if (infos == null) {
                continue;
            }
            for (JsonElement info : infos.getAsJsonArray()) {
                JsonObject one = info.getAsJsonObject();
                if (one.has("local") && ours(one.get("local").getAsString(), range, services, range6)) {
                    addresses.add(one.get("local").getAsString() + "/"
                            + one.get("prefixlen").getAsInt());
                }
            }
        }
        Set<LoRoute> routes = new LinkedHashSet<>();
        for (String json : routeJson) {
            for (JsonElement element : array(json)) {
                JsonObject one = element.getAsJsonObject();
                String destination = one.has("dst") ? one.get("dst").getAsString() : "default";
                int slash = destination.indexOf('/');
                // Routes of single addresses are the kernel's own, made with the address.
                if (slash < 0 || !ours(destination.substring(0, slash), range, services, range6)) {
                    continue;
                }
                String source = one.has("prefsrc") ? one.get("prefsrc").getAsString() : "";
                boolean local = one.has("type") && one.get("type").getAsString().equals("local");
                routes.add(new LoRoute(destination, local, source));
            }
        }
        return new NetPlan(addresses, routes);
    }

    private static JsonArray array(String json) {
        return json.isBlank() ? new JsonArray() : JsonParser.parseString(json).getAsJsonArray();
    }

    private static boolean ours(String address, Cidr range, Cidr services, String range6) {
        if (address.indexOf(':') < 0) {
            return range.contains(address) || services.contains(address);
        }
        if (range6.isEmpty() || Ip.parse(address).isEmpty()) {
            return false;
        }
        byte[] found = Ip.mapped(address);
        byte[] prefix = Ip.mapped(range6);
        for (int i = 0; i < 12; i++) {
            if (found[i] != prefix[i]) {
                return false;
            }
        }
        int v4 = (found[12] & 255) << 24 | (found[13] & 255) << 16 | (found[14] & 255) << 8 | (found[15] & 255);
        return range.contains(v4);
    }
}
