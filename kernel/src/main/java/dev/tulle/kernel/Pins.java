package dev.tulle.kernel;

import java.lang.foreign.Arena;
import java.nio.file.Path;

/** Pinning and opening of pins, the same for maps, programs and links. */
final class Pins {
    private Pins() {}

    static void pin(Fd fd, Path path, String what) {
        try (Arena arena = Arena.ofConfined()) {
            int result = BpfCalls.pin(fd.number(), arena.allocateFrom(path.toString()));
            BpfException.check(result, "cannot pin " + what + " at " + path + hint(result));
        }
    }

    static Fd open(Path path, String kind) {
        try (Arena arena = Arena.ofConfined()) {
            return Fd.own(
                    BpfCalls.get(arena.allocateFrom(path.toString())),
                    kind + " pinned at " + path,
                    "cannot open the " + kind + " pinned at " + path);
        }
    }

    private static String hint(int result) {
        return switch (-result) {
            case Errno.EINVAL, Errno.EPERM -> " (is that directory on a bpf file system?)";
            case Errno.ENOENT -> " (the directory does not exist)";
            default -> "";
        };
    }
}
