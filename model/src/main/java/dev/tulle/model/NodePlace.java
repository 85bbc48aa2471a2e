package dev.tulle.model;

/**
 * A node of the mesh, as others reach it.
 *
 * @param name its name; empty for none
 * @param address where it takes tunnels; empty for a node that no other one reaches
 */
public record NodePlace(String name, String address) {
    /** No node, or one that no other reaches. */
    public static final NodePlace NONE = new NodePlace("", "");

    /** True when what is there is to be reached through a tunnel from a node of this name. */
    public boolean isBeyond(String node) {
        return !address.isEmpty() && !name.equals(node);
    }
}
