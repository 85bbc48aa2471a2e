package dev.tulle.proxy.body;

import com.aayushatharva.brotli4j.Brotli4jLoader;
import com.github.luben.zstd.util.Native;
import dev.tulle.model.Coding;
import io.netty.buffer.ByteBufAllocator;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;

/** What compresses bodies. Two of three codings are libraries of native code, which is loaded with the first that is asked for. */
public final class Compressors {
    private static final System.Logger LOG = System.getLogger(Compressors.class.getName());

    private Compressors() {}

    /** Native code is loaded once in a process, or is found not to be there. */
    private static final class Loaded {
        static final Set<Coding> CODINGS = load();

        private static Set<Coding> load() {
            Set<Coding> all = EnumSet.of(Coding.GZIP);
            load(all, Coding.BROTLI, Brotli4jLoader::ensureAvailability);
            load(all, Coding.ZSTD, Native::load);
            return all;
        }

        private static void load(Set<Coding> all, Coding coding, Runnable library) {
            try {
                library.run();
                all.add(coding);
            } catch (LinkageError e) {
                LOG.log(
                        System.Logger.Level.WARNING,
                        "nothing is compressed by " + coding.token() + ": " + e.getMessage());
            }
        }
    }

    /** Those of some codings that this machine can write. Any thread. */
    public static List<Coding> available(List<Coding> codings) {
        return codings.stream().filter(Loaded.CODINGS::contains).toList();
    }

    /** One for a body, of a coding that is {@link #available}. */
    public static BodyChange of(Coding coding, ByteBufAllocator allocator) {
        return switch (coding) {
            case GZIP -> new Gzip(allocator);
            case BROTLI -> new Brotli(allocator);
            case ZSTD -> new Zstd(allocator);
        };
    }
}
