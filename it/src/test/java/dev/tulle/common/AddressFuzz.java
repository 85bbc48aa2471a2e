package dev.tulle.common;

import dev.tulle.it.fuzz.Cost;
import java.nio.charset.StandardCharsets;
import java.util.List;

/** Addresses and ranges in text: refused, or the same when written again. */
public final class AddressFuzz {
    private AddressFuzz() {}

    /** One text. */
    public static void fuzzerTestOneInput(byte[] data) {
        Cost.within(data.length, 100_000, 1_000, () -> check(new String(data, StandardCharsets.UTF_8)));
    }

    private static void check(String text) {
        Ip.parse(text).ifPresent(address -> {
            String written = Ip.text(address);
            Cost.must(Ip.parse(written).filter(address::equals).isPresent(), text + " is written " + written);
            Cost.must(Ip.textOfMapped(Ip.mapped(written)).equals(written), text + " is mapped as another one");
        });
        Ip.parse4(text).ifPresent(number -> Cost.must(Ip.text4(number).equals(text), text + " is another number"));
        Cidr.parse(text).ifPresent(range -> {
            Cost.must(Cidr.parse(range.toString()).filter(range::equals).isPresent(), text + " is written " + range);
            Cost.must(range.contains(range.network()), range + " without its first address");
        });
    }

    /** Addresses of both kinds. */
    public static List<byte[]> seeds() {
        return List.of(
                        "1.2.3.4",
                        "01.2.3.4",
                        "::1",
                        "fd00::1:2",
                        "::ffff:1.2.3.4",
                        "10.0.0.0/8",
                        "1.2.3.4/33",
                        "fe80::1%lo")
                .stream()
                .map(text -> text.getBytes(StandardCharsets.UTF_8))
                .toList();
    }
}
