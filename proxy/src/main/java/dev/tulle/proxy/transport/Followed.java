package dev.tulle.proxy.transport;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * What is made of some files, and made anew when they have changed. What cannot be made leaves what was made before in
 * force. It is asked by any thread and looked after by the thread of its {@link FileWatch} alone.
 */
public final class Followed<T> {
    private static final System.Logger LOG = System.getLogger(Followed.class.getName());

    /** Makes it; blocks. */
    @FunctionalInterface
    public interface Making<T> {
        /** From the files as they are now. */
        T make() throws Exception;
    }

    private final List<Path> files;
    private final Making<T> making;
    private final Runnable inForce;
    private final Consumer<T> retired;
    private final CompletableFuture<Void> first = new CompletableFuture<>();
    private volatile @Nullable T current;
    private volatile String trouble = "";
    private List<Map<String, Object>> seen = List.of();
    private List<Map<String, Object>> used = List.of();
    private String doubt = "";
    private boolean over;

    Followed(List<Path> files, Making<T> making, Runnable inForce, Consumer<T> retired) {
        this.files = List.copyOf(files);
        this.making = making;
        this.inForce = inForce;
        this.retired = retired;
    }

    /** What is in force; null while there is nothing that could be used. */
    public @Nullable T current() {
        return current;
    }

    /** What is wrong with the files as they are now, which are then not what is in force; empty for nothing. */
    public String trouble() {
        return trouble;
    }

    /** Completed, on the watch's thread, when the files have been looked at for the first time. */
    public CompletableFuture<Void> first() {
        return first;
    }

    /**
     * Looks at the files. Several that belong together are never changed in one instant, and one may be half written: what
     * has changed is read when it has not changed any more at the next look, and is called unusable at the one after it.
     * Throws nothing: others' files are looked at by the same thread.
     */
    void look() {
        if (over) {
            return;
        }
        try {
            lookAt();
        } catch (RuntimeException | Error e) {
            LOG.log(System.Logger.Level.ERROR, "looking at " + files, e);
        } finally {
            first.complete(null);
        }
    }

    private void lookAt() {
        List<Map<String, Object>> now = files.stream().map(Followed::stamp).toList();
        boolean isFirst = !first.isDone();
        boolean settled = isFirst || now.equals(seen);
        seen = now;
        if (!settled || (!isFirst && now.equals(used) && doubt.isEmpty())) {
            return;
        }
        String before = doubt;
        T made;
        try {
            made = making.make();
        } catch (Exception | Error e) {
            doubt = e.getMessage() == null ? e.toString() : e.getMessage();
            if ((isFirst || doubt.equals(before)) && !doubt.equals(trouble)) {
                trouble = doubt;
                LOG.log(
                        System.Logger.Level.WARNING,
                        trouble + (current == null ? "" : "; what was read before stays in force"));
            }
            return;
        }
        T old = current;
        current = made;
        doubt = "";
        used = now;
        if (!trouble.isEmpty()) {
            LOG.log(System.Logger.Level.INFO, "in use again: " + files);
        }
        trouble = "";
        retire(old);
        inForce.run();
    }

    private void retire(@Nullable T old) {
        if (old == null) {
            return;
        }
        try {
            retired.accept(old);
        } catch (RuntimeException | Error e) {
            LOG.log(System.Logger.Level.ERROR, "what was made of " + files + " before", e);
        }
    }

    private static Map<String, Object> stamp(Path file) {
        try {
            return Files.readAttributes(file, "unix:ctime,ino,size,lastModifiedTime");
        } catch (IOException e) {
            return Map.of();
        }
    }

    /** Nobody uses it any more. Throws nothing. */
    void end() {
        over = true;
        T last = current;
        current = null;
        retire(last);
    }
}
