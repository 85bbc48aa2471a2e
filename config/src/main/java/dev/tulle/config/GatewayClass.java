package dev.tulle.config;

/** Gateway API's GatewayClass. There is one, {@link #TULLE}, which needs no object; an object of it says nothing new. */
public record GatewayClass(Manifest manifest) implements ConfigResource {
    static final String KIND = "GatewayClass";

    /** The class of Tulle's own gateway. */
    static final String TULLE = "tulle";

    /** Who serves it. */
    static final String CONTROLLER = "tulle.dev/gateway";
}
