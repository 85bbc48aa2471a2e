package dev.tulle.proxy.forward;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.tulle.model.RouteAction;
import dev.tulle.model.RouteAction.PathRewrite;
import dev.tulle.proxy.http1.ParseStatus;
import dev.tulle.proxy.http1.RequestHead;
import io.netty.buffer.Unpooled;
import java.nio.charset.StandardCharsets;
import java.util.Optional;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Goal: the Location of a redirect is Envoy's. Method: a table. */
class RedirectsTest {
    @ParameterizedTest
    @CsvSource({
        "http, web,          ,      ,     ,     http://web/a?b",
        "http, web:9080,     ,      ,     ,     http://web:9080/a?b",
        "http, web:9080,     https, ,     ,     https://web:9080/a?b",
        "http, web:80,       https, ,     ,     https://web/a?b",
        "http, web:80,       http,  ,     ,     http://web:80/a?b",
        "http, web:9080,     ,      there, ,    http://there/a?b",
        "http, web:9080,     ,      there:81, , http://there:81/a?b",
        "http, web:9080,     https, ,     443,  https://web/a?b",
        "http, web:9080,     ,      ,     80,   http://web/a?b",
        "http, web:9080,     https, ,     8443, https://web:8443/a?b",
        "http, [::1]:9080,   ,      ,     81,   http://[::1]:81/a?b",
        "http, [::1],        ,      ,     81,   http://[::1]:81/a?b",
        "https, web,         ,      ,     ,     https://web/a?b",
        "https, web:443,     ,      ,     ,     https://web:443/a?b",
        "https, web:443,     http,  ,     ,     http://web/a?b",
        "https, web,         ,      ,     443,  https://web:443/a?b",
        "https, web,         ,      ,     80,   https://web/a?b",
    })
    void location(String asked, String host, String scheme, String authority, Integer port, String expected) {
        RequestHead head = new RequestHead();
        byte[] text = ("GET /a?b HTTP/1.1\r\nHost: " + host + "\r\n\r\n").getBytes(StandardCharsets.ISO_8859_1);
        assertEquals(ParseStatus.COMPLETE, head.read(Unpooled.wrappedBuffer(text)));
        RouteAction.Redirect redirect = new RouteAction.Redirect(
                301,
                Optional.ofNullable(scheme),
                Optional.ofNullable(authority),
                Optional.ofNullable(port),
                Optional.empty());
        assertEquals(expected, Redirects.location(redirect, head, asked, null, null));
    }

    @ParameterizedTest
    @CsvSource({
        "/a?b, /new,     http://web/new?b",
        "/a?b, /new?c=1, http://web/new?c=1",
        "/a?b, /new?,    http://web/new?",
        "/a?,  /new,     http://web/new?",
    })
    void aQueryOfTheRedirectReplacesTheRequests(String target, String to, String expected) {
        RequestHead head = new RequestHead();
        byte[] text = ("GET " + target + " HTTP/1.1\r\nHost: web\r\n\r\n").getBytes(StandardCharsets.ISO_8859_1);
        assertEquals(ParseStatus.COMPLETE, head.read(Unpooled.wrappedBuffer(text)));
        RouteAction.Redirect redirect = new RouteAction.Redirect(
                301, Optional.empty(), Optional.empty(), Optional.empty(), Optional.of(new PathRewrite.Full(to)));
        assertEquals(expected, Redirects.location(redirect, head, "http", to, null));
    }
}
