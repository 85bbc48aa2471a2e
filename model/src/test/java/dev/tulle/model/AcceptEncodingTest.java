package dev.tulle.model;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Which coding a client gets; rows that a real Envoy was asked as well stand in the proxy's table of compression. */
class AcceptEncodingTest {
    private static final List<Coding> ALL = Compression.CODINGS;

    private static String chosen(List<Coding> offered, String... lines) {
        return AcceptEncoding.choose(Arrays.asList(lines), offered)
                .map(Coding::token)
                .orElse("-");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "gzip, deflate, br, zstd | zstd",
                "gzip, deflate, br | br",
                "gzip;q=1, br;q=0.999 | gzip",
                "gzip;q=0.001 | gzip",
                "gzip;q=0 | -",
                "gzip;q=0, * | zstd",
                "zstd;q=0, * | br",
                "*;q=0, gzip | gzip",
                "identity, gzip | gzip",
                "identity;q=1, gzip;q=0.9 | -",
                "identity;q=0 | -",
                "identity;q=0, * | zstd",
                "x-gzip | gzip",
                "GZip ; Q=0.5 | gzip",
                "gzip;q=0.5;q=1 | -",
                "gzip;q=1.001 | -",
                "gzip;q=0.1234 | -",
                "gzip;q=.5 | -",
                "gzip;q= | -",
                "gzip;q=-1 | -",
                "gzip;q=2 | -",
                "gzip;level=9 | gzip",
                "gzip;q=0, gzip;q=1 | -",
                "brotli | -",
                ",, ,gzip | gzip",
                "'' | -"
            })
    void whatIsChosen(String written, String expected) {
        assertEquals(expected, chosen(ALL, written));
    }

    @Test
    void linesAreOneList() {
        assertEquals("gzip", chosen(ALL, "br;q=0.5", "gzip"));
        assertEquals("-", chosen(ALL));
    }

    @Test
    void whatIsOfferedFirstWinsAmongEquals() {
        assertEquals("gzip", chosen(List.of(Coding.GZIP, Coding.BROTLI), "br, gzip"));
        assertEquals("br", chosen(List.of(Coding.BROTLI, Coding.GZIP), "gzip, br"));
        assertEquals("-", chosen(List.of(Coding.GZIP), "br, zstd"));
    }
}
