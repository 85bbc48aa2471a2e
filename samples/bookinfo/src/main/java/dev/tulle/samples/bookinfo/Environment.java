package dev.tulle.samples.bookinfo;

import java.time.Duration;

/** The settings of a program: its environment variables, checked. */
final class Environment {
    private static final int PORT_DEFAULT = 9080;

    private Environment() {}

    static String get(String name, String defaultValue) {
        String value = System.getenv(name);
        return value == null || value.isEmpty() ? defaultValue : value;
    }

    /** The failure for a variable with a value that can't be used. */
    static IllegalArgumentException refuse(String name, String value, String expected) {
        return new IllegalArgumentException(name + "='" + value + "': expected " + expected);
    }

    /** {@code SERVICE_VERSION}, v1 by default. */
    static String serviceVersion() {
        return get("SERVICE_VERSION", "v1");
    }

    /** {@code PORT}, 9080 by default. */
    static int port() {
        String text = get("PORT", Integer.toString(PORT_DEFAULT));
        try {
            int port = Integer.parseInt(text);
            if (port > 0 && port < 65536) {
                return port;
            }
        } catch (NumberFormatException e) {
            // The sentence below says it.
        }
        throw refuse("PORT", text, "a port number from 1 to 65535");
    }

    /** A number of seconds, fractions allowed, more than 0. */
    static Duration seconds(String name, double defaultValue) {
        String text = get(name, Double.toString(defaultValue));
        try {
            double seconds = Double.parseDouble(text);
            if (seconds >= 0.001 && seconds < 1e6) {
                return Duration.ofMillis((long) (seconds * 1000));
            }
        } catch (NumberFormatException e) {
            // The sentence below says it.
        }
        throw refuse(name, text, "a number of seconds, 0.001 or more");
    }
}
