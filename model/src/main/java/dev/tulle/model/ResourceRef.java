package dev.tulle.model;

/**
 * Where a piece of configuration came from, so that every decision can name the object behind it.
 *
 * @param kind the resource kind, for example {@code VirtualService}; {@code Registration} for what a node registered
 * @param namespace the resource's namespace
 * @param name the resource's name
 * @param file the file it was read from, empty when it came from elsewhere
 * @param line the first line of the document in the file, counted from 1; 0 when unknown
 */
public record ResourceRef(String kind, String namespace, String name, String file, int line) {
    /** Shown where nothing configured an object: the mesh's own default. */
    public static final ResourceRef DEFAULT = new ResourceRef("Default", "", "default", "", 0);

    @Override
    public String toString() {
        String object = kind + " " + (namespace.isEmpty() ? "" : namespace + "/") + name;
        return file.isEmpty() ? object : object + " (" + file + (line > 0 ? ":" + line : "") + ")";
    }
}
