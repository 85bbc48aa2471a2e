package dev.tulle.agent;

import com.google.gson.JsonArray;
import dev.tulle.common.Ip;
import java.io.IOException;
import java.net.ConnectException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.util.Optional;

/** Finds out whether anything listens at endpoints, by connecting to them as a readiness probe does. Blocks. */
final class Listening {
    /** Endpoints looked at for one question. */
    private static final int MAX = 16;

    private static final int MILLIS = 300;

    private Listening() {}

    /**
     * The endpoints at which a connection is refused; one that does not answer, or is elsewhere, is not among them.
     *
     * @param endpoints address and port with a space between, separated by commas
     */
    static JsonArray closed(String endpoints) {
        JsonArray closed = new JsonArray();
        String[] all = endpoints.isEmpty() ? new String[0] : endpoints.split(",", MAX + 1);
        for (int i = 0; i < Math.min(all.length, MAX); i++) {
            int space = all[i].indexOf(' ');
            String port = all[i].substring(space + 1);
            Optional<InetAddress> address = space < 0 ? Optional.empty() : Ip.parse(all[i].substring(0, space));
            if (address.isPresent() && port.matches("[0-9]{1,5}") && isRefused(address.get(), Integer.parseInt(port))) {
                closed.add(Ip.text(address.get(), Integer.parseInt(port)));
            }
        }
        return closed;
    }

    private static boolean isRefused(InetAddress address, int port) {
        if (port < 1 || port > 65535) {
            return false;
        }
        try (Socket socket = new Socket()) {
            socket.connect(new InetSocketAddress(address, port), MILLIS);
            return false;
        } catch (ConnectException e) {
            return true;
        } catch (IOException e) {
            return false;
        }
    }
}
