package dev.tulle.config;

import dev.tulle.model.HeaderMutation;
import java.util.OptionalInt;

/**
 * Where a rule sends traffic.
 *
 * @param host a service's name as written: short, or a full host name
 * @param subset a subset of that host's DestinationRule, empty for all endpoints
 * @param port the service port; empty means the port that was dialled, or the only one of the service
 * @param weight the share of this destination, 0 or more
 * @param headers changes for requests that take this share
 * @param position where it is written
 */
public record Destination(
        String host, String subset, OptionalInt port, int weight, HeaderMutation headers, Position position) {}
