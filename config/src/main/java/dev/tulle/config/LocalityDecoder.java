package dev.tulle.config;

import dev.tulle.model.Locality;
import dev.tulle.model.LocalityPreference;
import dev.tulle.model.LocalityPreference.Share;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/** Decodes the {@code localityLbSetting} of a DestinationRule. */
final class LocalityDecoder {
    private static final String PLACE = "region, region/zone or region/zone/subzone; * for any, alone or at the end";

    private LocalityDecoder() {}

    static LocalityPreference decode(Fields setting) {
        boolean enabled = setting.bool("enabled").orElse(true);
        // Labels of callers are not part of what a node says of itself.
        setting.unsupported("failoverPriority");
        List<Share> shares = shares(setting);
        Map<String, String> failover = failover(setting);
        if (!shares.isEmpty() && !failover.isEmpty()) {
            setting.error("failover", "distribute or failover, not both", "two ways to choose localities");
        }
        setting.done();
        if (!enabled) {
            return LocalityPreference.ANYWHERE;
        }
        return shares.isEmpty() ? new LocalityPreference.Nearest(failover) : new LocalityPreference.Split(shares);
    }

    private static List<Share> shares(Fields setting) {
        List<Share> shares = new ArrayList<>();
        LocalityCover sources = new LocalityCover();
        for (Fields share : setting.objects("distribute")) {
            String from = share.requiredString("from");
            if (!from.isEmpty()) {
                checkPlace(share, "from", from, sources.add(from));
            }
            Map<String, Integer> to = new LinkedHashMap<>();
            share.requiredObject("to").ifPresent(places -> {
                for (String place : places.names()) {
                    places.integer(place, 1, 100).ifPresent(weight -> to.put(place, weight));
                }
                // A mapping has no order: what comes first must not decide.
                LocalityCover targets = new LocalityCover();
                places.names().stream()
                        .sorted(LocalityCover.WIDEST_FIRST)
                        .forEach(place -> checkPlace(places, place, place, targets.add(place)));
                int sum = to.values().stream().mapToInt(Integer::intValue).sum();
                if (sum != 100) {
                    share.error("to", "weights that sum to 100", "they sum to " + sum);
                }
            });
            share.done();
            shares.add(new Share(from, to));
        }
        return shares;
    }

    private static void checkPlace(Fields fields, String field, String place, Optional<String> fault) {
        if (fault.isPresent()) {
            fields.error(field, PLACE, "'" + place + "' is " + fault.get());
        } else if (!isPlace(place)) {
            fields.unsupportedForm(field, PLACE, "'" + place + "' is not a place");
        }
    }

    private static Map<String, String> failover(Fields setting) {
        Map<String, String> failover = new TreeMap<>();
        for (Fields pair : setting.objects("failover")) {
            String from = region(pair, "from");
            String to = region(pair, "to");
            if (from.equals(to)) {
                pair.error("to", "another region than from", "a region cannot stand in for itself");
            }
            if (!from.isEmpty() && failover.putIfAbsent(from, to) != null) {
                pair.unsupportedForm("from", "each region once", "two entries are about this region");
            }
            pair.done();
        }
        return failover;
    }

    private static String region(Fields pair, String name) {
        String region = pair.string(name).orElse("");
        if (region.contains("/") || region.contains("*")) {
            pair.error(name, "a region, without zone and without *", "not a region");
        } else if (!isPlace(region)) {
            pair.unsupportedForm(name, "a region, without zone and without *", "not a region");
        }
        return region;
    }

    private static boolean isPlace(String place) {
        if (place.equals("*")) {
            return true;
        }
        boolean any = place.endsWith("/*");
        try {
            Locality fixed = Locality.parse(any ? place.substring(0, place.length() - 2) : place);
            return fixed.isKnown() && !(any && !fixed.subzone().isEmpty());
        } catch (IllegalArgumentException _) {
            return false;
        }
    }
}
