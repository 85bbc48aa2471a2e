package dev.tulle.model;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.model.HeaderMutation.Field;
import dev.tulle.model.RouteAction.PathRewrite;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import org.junit.jupiter.api.Test;

/** Every text that reaches the head of a message, and every character that must not. */
class WireTextTest {
    /** Controls, and characters whose low byte is a line end or NUL when they are cut to a byte. */
    private static final String BAD = "\r\n\0\u0001\u001f\u007f\u010d\u010a\u0100\u0a0d\u0d0a\u560a\u560d\u2028";

    private static final Map<String, Function<String, Object>> WRITERS = Map.ofEntries(
            Map.entry("full path", PathRewrite.Full::new),
            Map.entry("prefix", PathRewrite.MatchedPrefix::new),
            Map.entry("substitution", text -> new PathRewrite.Regex("/a", text)),
            Map.entry("authority", text -> new RouteAction.Rewrite(Optional.of(text), Optional.empty())),
            Map.entry(
                    "redirect authority",
                    text -> new RouteAction.Redirect(
                            302, Optional.empty(), Optional.of(text), Optional.empty(), Optional.empty())),
            Map.entry(
                    "redirect scheme",
                    text -> new RouteAction.Redirect(
                            302, Optional.of(text), Optional.empty(), Optional.empty(), Optional.empty())),
            Map.entry("header value", text -> new Field("x-a", text)),
            Map.entry("header name", text -> new Field(text, "a")),
            Map.entry("host header", text -> new Field("host", text)),
            Map.entry("authority header", text -> new Field(":authority", text)));

    @Test
    void noCharacterThatEndsALineGetsIn() {
        WRITERS.forEach((what, writer) -> {
            assertNotNull(writer.apply("a"), what);
            for (int i = 0; i < BAD.length(); i++) {
                char bad = BAD.charAt(i);
                for (String text : List.of("a" + bad + "b", bad + "b", "a" + bad)) {
                    IllegalArgumentException refused =
                            assertThrows(IllegalArgumentException.class, () -> writer.apply(text), what);
                    assertTrue(
                            String.valueOf(refused.getMessage()).contains(String.format("U+%04X", (int) bad)),
                            refused.toString());
                }
            }
        });
    }

    @Test
    void whatIsUsualGetsIn() {
        assertEquals(Optional.empty(), WireText.TARGET.fault("/a/b%20c?x=1&y=%0d"));
        assertEquals(Optional.empty(), WireText.AUTHORITY.fault("reviews.default:9080"));
        assertEquals(Optional.empty(), WireText.AUTHORITY.fault("[2001:db8::1]:80"));
        assertEquals(Optional.empty(), WireText.HEADER_VALUE.fault("text/html; q=0.9\t\u00e9"));
        assertEquals(Optional.empty(), WireText.HEADER_NAME.fault("x-request-id"));
        for (String bad : List.of("a b", "a/b", "a@b", "a?b", "a#b", "a\\b", "")) {
            assertTrue(WireText.AUTHORITY.fault(bad).isPresent(), bad);
        }
    }
}
