package dev.tulle.agent.datapath;

import dev.tulle.kernel.BpfFs;
import dev.tulle.kernel.BpfLink;
import dev.tulle.kernel.BpfObject;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;

/** What an agent leaves that is killed in the middle of putting another version's maps and programs in place. */
public final class HalfUpgrade {
    private HalfUpgrade() {}

    /**
     * Goes as far as a number of swapped links.
     *
     * @return the links that were there
     */
    public static int run(Path elf, Path pins, int swapped) throws IOException {
        List<Path> links = BpfFs.list(pins.resolve("links"));
        try (BpfObject object = BpfObject.open(elf);
                MapTakeover takeover = MapTakeover.plan(object, pins)) {
            object.autoload("tulle_enter", false).autoload("tulle_skb_verdict", false);
            object.load();
            takeover.copy(object);
            for (Path pin : links.subList(0, swapped)) {
                try (BpfLink link = BpfLink.openPinned(pin)) {
                    link.update(object.program(pin.getFileName().toString()));
                }
            }
        }
        return links.size();
    }
}
