package dev.tulle.config;

import java.util.ArrayList;
import java.util.List;

/**
 * A YAML text cut at its document separators, so that one document can be replaced and the rest stays to the letter.
 * Immutable.
 */
final class Documents {
    private final List<String> chunks;

    private Documents(List<String> chunks) {
        this.chunks = chunks;
    }

    /** Cuts before each line that begins with {@code ---}: YAML gives such a line no other meaning. */
    static Documents of(String text) {
        List<String> chunks = new ArrayList<>();
        StringBuilder chunk = new StringBuilder();
        int at = 0;
        while (at < text.length()) {
            int end = text.indexOf('\n', at);
            int next = end < 0 ? text.length() : end + 1;
            boolean separator = text.startsWith("---", at)
                    && (at + 3 == text.length() || Character.isWhitespace(text.charAt(at + 3)));
            if (separator && at > 0) {
                chunks.add(chunk.toString());
                chunk.setLength(0);
            }
            chunk.append(text, at, next);
            at = next;
        }
        chunks.add(chunk.toString());
        return new Documents(chunks);
    }

    int size() {
        return chunks.size();
    }

    String chunk(int index) {
        return chunks.get(index);
    }

    /** The text with another document, without separator, in the place of a chunk. */
    String replace(int index, String document) {
        StringBuilder out = new StringBuilder();
        for (int i = 0; i < chunks.size(); i++) {
            if (i != index) {
                append(out, chunks.get(i));
            } else {
                boolean separator = chunks.get(i).startsWith("---");
                append(out, (separator ? "---\n" : "") + document);
            }
        }
        return out.toString();
    }

    /** The text without a chunk. */
    String remove(int index) {
        StringBuilder out = new StringBuilder();
        for (int i = 0; i < chunks.size(); i++) {
            if (i != index) {
                append(out, chunks.get(i));
            }
        }
        return out.toString();
    }

    private static void append(StringBuilder out, String chunk) {
        if (!out.isEmpty() && out.charAt(out.length() - 1) != '\n') {
            out.append('\n');
        }
        out.append(chunk);
    }
}
