package dev.tulle.agent.http;

import java.util.Arrays;
import java.util.stream.Collectors;

/** The methods that the kernel knows, by their bit; a request with any other is the proxy's. */
public enum HttpMethod {
    GET(0),
    HEAD(1),
    POST(2),
    PUT(3),
    DELETE(4),
    OPTIONS(5),
    PATCH(6);

    /** All of them. */
    public static final int ALL = (1 << values().length) - 1;

    private final int number;

    HttpMethod(int number) {
        this.number = number;
    }

    /** The method's bit. */
    public int bit() {
        return 1 << number;
    }

    /** The bit of a method as it is sent; 0 for one that the kernel does not know. */
    public static int bitOf(String method) {
        for (HttpMethod known : values()) {
            if (known.name().equals(method)) {
                return known.bit();
            }
        }
        return 0;
    }

    /** Names of the methods of some bits, for people. */
    static String words(int bits) {
        return Arrays.stream(values())
                .filter(method -> (bits & method.bit()) != 0)
                .map(HttpMethod::name)
                .collect(Collectors.joining("|"));
    }
}
