package dev.tulle.samples.bookinfo;

import com.sun.net.httpserver.Headers;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.Locale;
import java.util.concurrent.Executors;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;

/**
 * The HTTP/1.1 server of one service: {@code GET /SERVICE/ID} and {@code GET /health}, JSON only,
 * connections kept alive, one virtual thread for each request, one access line for each answer.
 *
 * <p>It listens on the wildcard address through a dual-stack socket, as nearly every Java program
 * does.
 */
final class ProductServer {
    /** How long requests that are being served may take after SIGTERM. */
    private static final int STOP_GRACE_SECONDS = 3;

    /** Requests served at the same time; more wait for their turn. */
    private static final int IN_FLIGHT_MAX = 10_000;

    private final String service;
    private final String label;
    private final Endpoint endpoint;
    private final boolean accessLog = !Environment.get("ACCESS_LOG", "on").equals("off");
    private final Semaphore inFlight = new Semaphore(IN_FLIGHT_MAX);
    private volatile boolean stopping;

    private ProductServer(String service, Endpoint endpoint) {
        this.service = service;
        this.label = service + "-" + Environment.serviceVersion();
        this.endpoint = endpoint;
    }

    /** What a service answers for the product it knows; called on a virtual thread. */
    interface Endpoint {
        Reply product(Headers requestHeaders);
    }

    /**
     * Listens on {@code PORT} (default 9080) and returns; the process ends on SIGTERM. If it can't
     * start, it ends with one sentence on stderr and status 1.
     */
    static void run(String service, Supplier<Endpoint> endpoint) {
        // Read once, when the JDK's server class loads. Small answers must not wait for an
        // acknowledgement, and the client, not the server, should be the one that gives up an idle
        // connection: a server that closes first makes a client's next request fail.
        System.setProperty("sun.net.httpserver.nodelay", "true");
        System.setProperty("sun.net.httpserver.idleInterval", "120");
        System.setProperty("sun.net.httpserver.maxIdleConnections", "10000");
        try {
            new ProductServer(service, endpoint.get()).listen();
        } catch (IllegalArgumentException | IOException e) {
            System.err.println(service + ": " + e.getMessage());
            System.exit(1);
        }
    }

    private void listen() throws IOException {
        int port = Environment.port();
        HttpServer server;
        try {
            server = HttpServer.create(new InetSocketAddress(port), 256);
        } catch (IOException e) {
            throw new IOException("cannot listen on port " + port + ": " + e.getMessage(), e);
        }
        server.createContext("/", this::handle);
        server.setExecutor(Executors.newVirtualThreadPerTaskExecutor());
        Runtime.getRuntime().addShutdownHook(new Thread(() -> stop(server), "stop"));
        server.start();
        System.out.println(label + " listening on [::]:" + port + ", pid "
                + ProcessHandle.current().pid());
    }

    private void stop(HttpServer server) {
        // HttpServer's own waiting counts a connection that the client closes at this very moment
        // as a request, and then waits in vain for its end. So the requests are counted here.
        stopping = true;
        awaitNoneInFlight();
        server.stop(0);
        System.out.println(label + " stopped");
        System.out.flush();
        // An ordered end is a success; without this the status would be 143.
        Runtime.getRuntime().halt(0);
    }

    private void awaitNoneInFlight() {
        try {
            // All permits are free exactly when no request is being served.
            inFlight.tryAcquire(IN_FLIGHT_MAX, STOP_GRACE_SECONDS, TimeUnit.SECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void handle(HttpExchange exchange) throws IOException {
        inFlight.acquireUninterruptibly();
        try {
            serve(exchange);
        } finally {
            inFlight.release();
        }
    }

    private void serve(HttpExchange exchange) throws IOException {
        long started = System.nanoTime();
        try (exchange) {
            Reply reply = answer(exchange.getRequestMethod(), exchange.getRequestURI(), exchange.getRequestHeaders());
            byte[] body = reply.json().getBytes(StandardCharsets.UTF_8);
            exchange.getResponseHeaders().set("Content-Type", "application/json");
            if (stopping) {
                exchange.getResponseHeaders().set("Connection", "close");
            }
            if (exchange.getRequestMethod().equals("HEAD")) {
                exchange.getResponseHeaders().set("Content-Length", Integer.toString(body.length));
                exchange.sendResponseHeaders(reply.status(), -1);
            } else {
                exchange.sendResponseHeaders(reply.status(), body.length);
                exchange.getResponseBody().write(body);
            }
            logAccess(exchange, reply.status(), System.nanoTime() - started);
        }
    }

    private Reply answer(String method, URI uri, Headers headers) {
        if (!method.equals("GET") && !method.equals("HEAD")) {
            return Reply.error(405, "method is not supported: expected GET");
        }
        String path = uri.getPath() == null ? "" : uri.getPath();
        if (path.equals("/health")) {
            return Reply.ok("{\"status\": \"" + service + " is healthy\"}");
        }
        String prefix = "/" + service + "/";
        if (!path.startsWith(prefix)) {
            return Reply.error(404, "not found: expected " + prefix + "ID or /health");
        }
        String id = path.substring(prefix.length());
        if (id.isEmpty() || !id.chars().allMatch(c -> c >= '0' && c <= '9')) {
            return Reply.error(400, "please provide a numeric product id");
        }
        return id.equals("0") ? endpoint.product(headers) : Reply.error(404, "no such product: expected 0");
    }

    private void logAccess(HttpExchange exchange, int status, long nanos) {
        if (accessLog) {
            Headers headers = exchange.getRequestHeaders();
            System.out.println(String.format(
                    Locale.ROOT,
                    "%s %s %s %d %.1f ms end-user=%s x-request-id=%s",
                    label,
                    exchange.getRequestMethod(),
                    exchange.getRequestURI(),
                    status,
                    nanos / 1e6,
                    firstOrDash(headers, "end-user"),
                    firstOrDash(headers, "x-request-id")));
        }
    }

    private static String firstOrDash(Headers headers, String name) {
        String value = headers.getFirst(name);
        return value == null ? "-" : value;
    }
}
