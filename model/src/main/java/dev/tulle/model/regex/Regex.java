package dev.tulle.model.regex;

import com.google.re2j.Pattern;
import com.google.re2j.PatternSyntaxException;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * A regular expression of RE2's syntax on a whole text. Everything that a writer of configuration could make dear is bounded
 * before it is done: the text's length, the nesting, the size with its repetitions written out, the table. What is taken
 * then costs one look-up per character. Immutable, any thread.
 */
public final class Regex {
    /** The longest expression, in characters. */
    public static final int MAX_LENGTH = 2048;

    /** The largest expression once its repetitions are written out, in characters to match. */
    static final int MAX_SIZE = 2048;

    /** The deepest nesting of parts that may be left out, once repetitions are written out: RE2's compiler recurses so far. */
    static final int MAX_OPTIONAL = 128;

    /** The most parts that may be passed one after the other without a character, so that nobody's stack is filled. */
    static final int MAX_PASSED = 512;

    /** The most places of an expression that may be possible at once where its matches are replaced. */
    static final int MAX_WIDTH = 12;

    /** Answers that are remembered: the same expression is asked about whenever configuration is read. */
    private static final int REMEMBERED = 1024;

    private static final Map<String, Optional<RegexException>> ANSWERS =
            Collections.synchronizedMap(new LinkedHashMap<>(16, 0.75f, true) {
                private static final long serialVersionUID = 1;

                @Override
                protected boolean removeEldestEntry(Map.Entry<String, Optional<RegexException>> eldest) {
                    return size() > REMEMBERED;
                }
            });

    private final String text;
    private final Dfa dfa;

    private Regex(String text, Dfa dfa) {
        this.text = text;
        this.dfa = dfa;
    }

    /**
     * Makes an expression ready.
     *
     * @param ignoreCase as if it began with {@code (?i)}
     * @throws RegexException when it is no RE2 or too dear
     */
    public static Regex compile(String text, boolean ignoreCase) {
        return new Regex(text, Dfa.of(Nfa.of(parse(text, ignoreCase))));
    }

    /** As {@link #compile(String, boolean)}, with regard to case. */
    public static Regex compile(String text) {
        return compile(text, false);
    }

    /** Why an expression is not taken; empty when it is. */
    public static Optional<RegexException> fault(String text) {
        return remembered("m" + text, () -> compile(text));
    }

    /** Why an expression whose matches are replaced is not taken; empty when it is. */
    public static Optional<RegexException> replacingFault(String text) {
        return remembered("r" + text, () -> checkReplacing(text));
    }

    private static Optional<RegexException> remembered(String key, Runnable check) {
        if (key.length() > MAX_LENGTH + 1) {
            return Optional.of(tooLong());
        }
        Optional<RegexException> known = ANSWERS.get(key);
        if (known == null) {
            try {
                check.run();
                known = Optional.empty();
            } catch (RegexException e) {
                known = Optional.of(e);
            }
            ANSWERS.put(key, known);
        }
        return known;
    }

    /**
     * Makes an expression ready whose matches anywhere in a text are to be found and replaced. Groups are needed then, for
     * which there is no table: RE2's matcher does it, and only for what it can do with few places at once.
     *
     * @throws RegexException when it is no RE2 or too dear
     */
    public static Pattern replacing(String text) {
        checkReplacing(text);
        return re2(text);
    }

    private static void checkReplacing(String text) {
        Node anywhere = new Node.Sequence(
                List.of(new Node.Repeat(new Node.One(CharSets.ALL), 0, Node.UNBOUNDED), parse(text, false)));
        int widest = Dfa.of(Nfa.of(anywhere)).widest();
        if (widest > MAX_WIDTH) {
            throw new RegexException(
                    "this regular expression is too dear to replace its matches: " + widest
                            + " places of it are possible at once",
                    "at most " + MAX_WIDTH);
        }
    }

    private static Node parse(String text, boolean ignoreCase) {
        if (text.length() > MAX_LENGTH) {
            throw tooLong();
        }
        Node node = RegexParser.parse(text, ignoreCase);
        if (node.size() > MAX_SIZE) {
            throw new RegexException(
                    "this regular expression is too large when its repetitions are written out",
                    "at most " + MAX_SIZE + " characters to match");
        }
        if (node.depth() > MAX_OPTIONAL) {
            throw new RegexException(
                    "this regular expression has too many parts that may be left out one after the other",
                    "at most " + MAX_OPTIONAL + ", as in x{0," + MAX_OPTIONAL + "}");
        }
        if (node.passed() > MAX_PASSED) {
            throw new RegexException(
                    "this regular expression has too many parts that match without a character",
                    "at most " + MAX_PASSED + " one after the other, repetitions written out");
        }
        re2(text);
        return node;
    }

    private static RegexException tooLong() {
        return new RegexException("this regular expression is too long", "at most " + MAX_LENGTH + " characters");
    }

    private static Pattern re2(String text) {
        try {
            return Pattern.compile(text);
        } catch (PatternSyntaxException e) {
            throw RegexException.notRe2(String.valueOf(e.getDescription()));
        } catch (StackOverflowError e) {
            throw new RegexException("this regular expression is nested too deeply", "fewer repetitions");
        }
    }

    /** True when the whole text matches. */
    public boolean matches(String candidate) {
        return dfa.matches(candidate);
    }

    /** The expression. */
    @Override
    public String toString() {
        return text;
    }
}
