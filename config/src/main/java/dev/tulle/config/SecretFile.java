package dev.tulle.config;

import java.nio.file.Path;

/**
 * A part of a Secret as a file that proxies read. It is named by what is in it: another content is another file.
 *
 * @param content not to be shown to anybody
 */
public record SecretFile(Path file, String content) {
    @Override
    public String toString() {
        return file.toString();
    }
}
