package dev.tulle.proxy.hbone;

import dev.tulle.common.Ip;
import java.io.IOException;
import java.net.ConnectException;
import java.net.InetSocketAddress;

/** What the other end says of a tunnel that is asked for, as nodes of Istio do. */
public final class Answers {
    /** The tunnel is there. */
    public static final int OPEN = 200;

    /** It is no tunnel that is asked for, or not to an address of this node's. */
    public static final int BAD_REQUEST = 400;

    /** A policy refuses it. */
    public static final int DENIED = 401;

    /** The workload cannot be reached. */
    public static final int UNREACHABLE = 503;

    private Answers() {}

    /** Why there is no tunnel; what the workload's node could not do counts against the workload. */
    static IOException refusal(String code, InetSocketAddress node, InetSocketAddress workload) {
        String why = Tunnels.TROUBLE + meaning(code) + ", says the node at " + text(node) + " of " + text(workload);
        return code.equals("401") || code.equals("400") ? new IOException(why) : new ConnectException(why);
    }

    static String text(InetSocketAddress address) {
        return Ip.inBrackets(Ip.text(address.getAddress())) + ":" + address.getPort();
    }

    /** For people. */
    private static String meaning(String code) {
        return switch (code) {
            case "400" -> "400: not an address of a workload there";
            case "401" -> "401: a policy refuses it";
            case "503" -> "503: the workload cannot be reached there";
            default -> (code.length() > 3 ? "?" : code) + ": no tunnel";
        };
    }
}
