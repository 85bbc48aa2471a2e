package dev.tulle.xds;

import dev.tulle.model.Locality;

/**
 * What a node says of itself when it connects.
 *
 * @param node its name
 * @param wantedPrefix the prefix that it already uses; empty when it has none
 * @param locality where it is
 * @param address where other nodes reach it; empty when it is reached by none
 */
public record NodeHello(String node, String wantedPrefix, Locality locality, String address) {}
