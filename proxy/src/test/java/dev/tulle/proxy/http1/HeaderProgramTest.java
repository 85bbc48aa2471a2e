package dev.tulle.proxy.http1;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.tulle.model.HeaderMutation.Changes;
import dev.tulle.model.HeaderMutation.Field;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Goal: changes of a route and of a share give what Envoy gives. Method: pairs of changes and the lines they add. */
class HeaderProgramTest {
    private static Changes set(String value) {
        return new Changes(List.of(new Field("x", value)), List.of(), List.of());
    }

    private static Changes add(String value) {
        return new Changes(List.of(), List.of(new Field("X", value)), List.of());
    }

    private static String lines(Changes route, Changes share) {
        return new String(HeaderProgram.of(route, share).lines(), StandardCharsets.ISO_8859_1);
    }

    @Test
    void theRoutesChangesComeLast() {
        Changes remove = new Changes(List.of(), List.of(), List.of("x"));
        assertEquals("x: route\r\n", lines(set("route"), set("share")));
        assertEquals("x: route\r\n", lines(set("route"), add("share")));
        assertEquals("x: share\r\nX: route\r\n", lines(add("route"), set("share")));
        assertEquals("X: share\r\nX: route\r\n", lines(add("route"), add("share")));
        assertEquals("", lines(remove, set("share")));
        assertEquals("x: route\r\n", lines(set("route"), remove));
    }

    @Test
    void inOneStepTheLastSetCounts() {
        Changes both = new Changes(
                List.of(new Field("x", "1"), new Field("X", "2")), List.of(new Field("x", "3")), List.of("x"));
        assertEquals("X: 2\r\nx: 3\r\n", lines(both, Changes.NONE));
    }

    @Test
    void theRoutesHostWins() {
        Changes route = new Changes(List.of(new Field("host", "route")), List.of(), List.of());
        Changes share = new Changes(List.of(new Field("host", "share")), List.of(), List.of());
        assertEquals("route", HeaderProgram.of(route, share).authority());
        assertEquals("share", HeaderProgram.of(Changes.NONE, share).authority());
    }
}
