import java.io.IOException;
import javax.servlet.http.HttpServletRequest;
import javax.servlet.http.HttpServletResponse;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;
import org.eclipse.jetty.server.handler.AbstractHandler;

/** Answers every request with what it has read of it: JettyPeer PORT. */
public final class JettyPeer extends AbstractHandler {
    private JettyPeer() {}

    @Override
    public void handle(String target, Request base, HttpServletRequest request, HttpServletResponse response)
            throws IOException {
        long length = request.getInputStream().readAllBytes().length;
        base.setHandled(true);
        response.setHeader("X-Seen", request.getMethod() + " " + base.getOriginalURI());
        response.setHeader("X-Length", Long.toString(length));
        response.getOutputStream().print("ok\n");
    }

    /** Serves until it is killed. */
    public static void main(String[] args) throws Exception {
        Server server = new Server();
        ServerConnector connector = new ServerConnector(server);
        connector.setHost("127.0.0.1");
        connector.setPort(Integer.parseInt(args[0]));
        connector.setIdleTimeout(600_000);
        server.addConnector(connector);
        server.setHandler(new JettyPeer());
        server.start();
        server.join();
    }
}
