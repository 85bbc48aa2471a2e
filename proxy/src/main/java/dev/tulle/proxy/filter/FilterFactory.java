package dev.tulle.proxy.filter;

/** Makes the filter for one request; prepared once, when its configuration comes. Loop-confined. */
@FunctionalInterface
public interface FilterFactory {
    /** A filter in its first state. */
    HttpFilter make();
}
