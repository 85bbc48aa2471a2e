package dev.tulle.xds;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/** The resources of one type that a client has refused and not accepted since. Server's owner thread only. */
final class Refusals {
    private static final String SEPARATOR = "; ";

    private final String type;
    private final Map<String, Refusal> byName = new TreeMap<>();

    Refusals(String type) {
        this.type = type;
    }

    /** The client uses these. */
    void accepted(Set<String> names) {
        byName.keySet().removeAll(names);
    }

    /** The client does not subscribe to it any more. */
    void forget(String name) {
        byName.remove(name);
    }

    /** The client subscribes to nothing but these. */
    void retain(Set<String> names) {
        byName.keySet().retainAll(names);
    }

    /**
     * The client refused a response. A refusal that names resources of it is about those; one that names none is about all
     * of it.
     *
     * @param response the versions of the response, by name
     */
    void refused(Map<String, String> response, String message) {
        Set<String> named = new HashSet<>();
        response.keySet().stream().filter(name -> message.contains(name + ":")).forEach(named::add);
        String whole = RefusalLog.shown(message.isEmpty() ? "refused without a reason" : message);
        response.forEach((name, version) -> {
            if (named.isEmpty()) {
                byName.put(name, new Refusal(type, name, version, whole));
            } else if (named.contains(name)) {
                byName.put(name, new Refusal(type, name, version, RefusalLog.shown(reason(name, message, named))));
            } else {
                byName.remove(name);
            }
        });
    }

    /** The part of a message that is about one of the resources that it names. */
    private static String reason(String name, String message, Set<String> named) {
        int start = message.indexOf(name + ":");
        int end = message.length();
        for (String other : named) {
            int next = message.indexOf(SEPARATOR + other + ":", start);
            end = next >= 0 && next < end ? next : end;
        }
        String part = message.substring(start + name.length() + 1, end).strip();
        return part.isEmpty() ? message : part;
    }

    List<Refusal> all() {
        return new ArrayList<>(byName.values());
    }
}
