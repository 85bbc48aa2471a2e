package dev.tulle.xds;

/**
 * A resource that a client was sent and does not use; what it had before stays in force there.
 *
 * @param type the type URL
 * @param name the resource's name
 * @param version the version that it refused
 * @param reason what it said; never empty
 */
public record Refusal(String type, String name, String version, String reason) {
    /** For people: Envoy's abbreviation of the type, and the name. */
    public String resource() {
        return ResourceType.shortNameOf(type) + " " + name;
    }
}
