package dev.tulle.kernel;

import java.nio.file.Path;

/** Descriptors of directories and namespace files, which the JDK does not hand out. */
final class OpenFile {
    private static final int O_RDONLY_CLOEXEC = 0x80000;

    private OpenFile() {}

    static Fd readOnly(Path path, String what) {
        return Fd.own(LibC.open(path, O_RDONLY_CLOEXEC), what, "cannot open " + what);
    }
}
