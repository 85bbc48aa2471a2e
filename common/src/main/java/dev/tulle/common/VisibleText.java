package dev.tulle.common;

/**
 * Text from outside, made fit for a log line, a terminal or a status table: one line of bounded length in which nothing is
 * invisible or moves the cursor. The one place where that is decided. Stateless.
 */
public final class VisibleText {
    private VisibleText() {}

    /**
     * One short line.
     *
     * @param longest how many characters are kept; of a longer text the rest is cut off, which an ellipsis shows
     * @return the text with a question mark in the place of each character that would end a line, change a terminal's
     *     state, turn the direction of writing, or be half a character
     */
    public static String line(String text, int longest) {
        int end = Math.min(text.length(), longest);
        if (end < text.length() && end > 0 && Character.isHighSurrogate(text.charAt(end - 1))) {
            end--;
        }
        StringBuilder out = new StringBuilder(end + 1);
        for (int i = 0; i < end; ) {
            int c = text.codePointAt(i);
            i += Character.charCount(c);
            out.appendCodePoint(isVisible(c) ? c : '?');
        }
        return end < text.length() ? out.append('…').toString() : out.toString();
    }

    private static boolean isVisible(int c) {
        return switch (Character.getType(c)) {
            case Character.CONTROL,
                    Character.FORMAT,
                    Character.LINE_SEPARATOR,
                    Character.PARAGRAPH_SEPARATOR,
                    Character.SURROGATE,
                    Character.UNASSIGNED -> false;
            default -> true;
        };
    }
}
