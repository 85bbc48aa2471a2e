package dev.tulle.config;

/**
 * The kinds of warnings about what resources say of each other, each with its code; docs/warnings.md has cause and remedy of
 * each. Codes are never used again for something else.
 */
public enum Warning {
    /** A route's destination is no service. */
    NO_DESTINATION("TUL0101"),
    /** A route's destination has no such port. */
    NO_DESTINATION_PORT("TUL0102"),
    /** What a resource is about is no service. */
    NO_HOST("TUL0103"),
    /** Two resources route one host. */
    HOST_ROUTED_TWICE("TUL0104"),
    /** Rules for requests at a port whose requests nobody reads. */
    RULES_ON_BYTES("TUL0105"),
    /** Two services have one address and port. */
    ADDRESS_TAKEN("TUL0106"),
    /** Of two DestinationRules for one host a part is not in force. */
    HOST_RULED_TWICE("TUL0107"),
    /** A DestinationRule of a namespace that is neither the service's nor the root. */
    RULE_FOR_CALLERS("TUL0108"),
    /** A VirtualService names a gateway that there is not. */
    NO_GATEWAY("TUL0109"),
    /** Two servers of gateways want one port in different ways. */
    GATEWAY_PORT_TAKEN("TUL0110"),
    /** A host of a VirtualService is served by no gateway that it names. */
    NOT_AT_GATEWAY("TUL0111"),
    /** An object names a Secret that there is not, or that lacks what it needs. */
    NO_SECRET("TUL0112"),
    /** A file that holds a Secret may be read by everybody. */
    SECRET_READABLE("TUL0113"),
    /** A route or ListenerSet of Gateway API names a parent that there is not. */
    NO_PARENT("TUL0120"),
    /** A parent does not take a route or ListenerSet. */
    NOT_ALLOWED("TUL0121"),
    /** A route has no host in common with the listeners that it names. */
    NO_COMMON_HOST("TUL0122"),
    /** An object names one of another namespace, which does not permit it. */
    NOT_GRANTED("TUL0123"),
    /** A policy is about no workload. */
    GUARDS_NOBODY("TUL0201"),
    /** A subset is of no workload. */
    EMPTY_SUBSET("TUL0202"),
    /** A service has no workload. */
    NO_WORKLOAD("TUL0203");

    private final String code;

    Warning(String code) {
        this.code = code;
    }

    /** The code, for example {@code TUL0101}. */
    public String code() {
        return code;
    }
}
