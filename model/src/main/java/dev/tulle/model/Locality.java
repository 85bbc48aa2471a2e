package dev.tulle.model;

import java.util.Map;
import java.util.Objects;
import java.util.regex.Pattern;

/**
 * Where a node or an endpoint is: a region, a zone of it, a subzone of that, as Istio and Envoy have it. An empty part is
 * not known, and then neither is what lies in it.
 */
public record Locality(String region, String zone, String subzone) {
    /** Not known. */
    public static final Locality NONE = new Locality("", "", "");

    /** The label by which a workload says where it is, whatever its node says; as in Istio. */
    public static final String LABEL = "istio-locality";

    /** What {@link #parse} expects, for errors. */
    public static final String EXPECTED =
            "region/zone/subzone, the last parts optional, each of letters, digits, '-'," + " '_' and '.', at most 63";

    private static final Pattern PART = Pattern.compile("[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?");

    public Locality {
        Objects.requireNonNull(region, "region");
        Objects.requireNonNull(zone, "zone");
        Objects.requireNonNull(subzone, "subzone");
    }

    /**
     * Reads {@code region/zone/subzone}, {@code region/zone}, {@code region} or nothing.
     *
     * @throws IllegalArgumentException for anything else
     */
    public static Locality parse(String text) {
        if (text.isEmpty()) {
            return NONE;
        }
        String[] parts = text.split("/", -1);
        for (String part : parts) {
            if (parts.length > 3 || !PART.matcher(part).matches()) {
                throw new IllegalArgumentException("locality '" + text + "': expected " + EXPECTED);
            }
        }
        return new Locality(parts[0], parts.length > 1 ? parts[1] : "", parts.length > 2 ? parts[2] : "");
    }

    /**
     * Where a workload is: what its label says, in which dots stand for slashes if it has no slash, else the given.
     *
     * @throws IllegalArgumentException when the label says nothing that can be read
     */
    public static Locality of(Map<String, String> labels, Locality otherwise) {
        String label = labels.getOrDefault(LABEL, "");
        if (label.isEmpty()) {
            return otherwise;
        }
        return parse(label.contains("/") ? label : label.replace('.', '/'));
    }

    /** False for {@link #NONE}. */
    public boolean isKnown() {
        return !region.isEmpty();
    }

    /** As {@link #parse} reads it. */
    @Override
    public String toString() {
        String inRegion = subzone.isEmpty() ? zone : zone + "/" + subzone;
        return inRegion.isEmpty() ? region : region + "/" + inRegion;
    }
}
