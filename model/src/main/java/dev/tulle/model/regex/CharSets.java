package dev.tulle.model.regex;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.IntPredicate;
import org.jspecify.annotations.Nullable;

/** The sets of characters that have names, and the characters that differ only by case. */
final class CharSets {
    static final CharSet ALL = CharSet.of(0, CharSet.MAX);
    static final CharSet NOT_NEWLINE = CharSet.of('\n', '\n').complement();
    static final CharSet DIGIT = CharSet.of('0', '9');
    static final CharSet SPACE = CharSet.of('\t', '\n', '\f', '\r', ' ', ' ');
    static final CharSet WORD = CharSet.of('0', '9', 'A', 'Z', '_', '_', 'a', 'z');

    private static final Map<String, CharSet> POSIX = Map.ofEntries(
            Map.entry("alnum", CharSet.of('0', '9', 'A', 'Z', 'a', 'z')),
            Map.entry("alpha", CharSet.of('A', 'Z', 'a', 'z')),
            Map.entry("ascii", CharSet.of(0, 0x7f)),
            Map.entry("blank", CharSet.of('\t', '\t', ' ', ' ')),
            Map.entry("cntrl", CharSet.of(0, 0x1f, 0x7f, 0x7f)),
            Map.entry("digit", DIGIT),
            Map.entry("graph", CharSet.of('!', '~')),
            Map.entry("lower", CharSet.of('a', 'z')),
            Map.entry("print", CharSet.of(' ', '~')),
            Map.entry("punct", CharSet.of('!', '/', ':', '@', '[', '`', '{', '~')),
            Map.entry("space", CharSet.of('\t', '\r', ' ', ' ')),
            Map.entry("upper", CharSet.of('A', 'Z')),
            Map.entry("word", WORD),
            Map.entry("xdigit", CharSet.of('0', '9', 'A', 'F', 'a', 'f')));

    /** Of the sets that Unicode names; there are about two hundred names. */
    private static final Map<String, CharSet> UNICODE = new ConcurrentHashMap<>();

    private static final Map<String, List<Integer>> CATEGORIES = Map.ofEntries(
            Map.entry("Lu", List.of((int) Character.UPPERCASE_LETTER)),
            Map.entry("Ll", List.of((int) Character.LOWERCASE_LETTER)),
            Map.entry("Lt", List.of((int) Character.TITLECASE_LETTER)),
            Map.entry("Lm", List.of((int) Character.MODIFIER_LETTER)),
            Map.entry("Lo", List.of((int) Character.OTHER_LETTER)),
            Map.entry("Mn", List.of((int) Character.NON_SPACING_MARK)),
            Map.entry("Me", List.of((int) Character.ENCLOSING_MARK)),
            Map.entry("Mc", List.of((int) Character.COMBINING_SPACING_MARK)),
            Map.entry("Nd", List.of((int) Character.DECIMAL_DIGIT_NUMBER)),
            Map.entry("Nl", List.of((int) Character.LETTER_NUMBER)),
            Map.entry("No", List.of((int) Character.OTHER_NUMBER)),
            Map.entry("Pd", List.of((int) Character.DASH_PUNCTUATION)),
            Map.entry("Ps", List.of((int) Character.START_PUNCTUATION)),
            Map.entry("Pe", List.of((int) Character.END_PUNCTUATION)),
            Map.entry("Pc", List.of((int) Character.CONNECTOR_PUNCTUATION)),
            Map.entry("Po", List.of((int) Character.OTHER_PUNCTUATION)),
            Map.entry("Pi", List.of((int) Character.INITIAL_QUOTE_PUNCTUATION)),
            Map.entry("Pf", List.of((int) Character.FINAL_QUOTE_PUNCTUATION)),
            Map.entry("Sm", List.of((int) Character.MATH_SYMBOL)),
            Map.entry("Sc", List.of((int) Character.CURRENCY_SYMBOL)),
            Map.entry("Sk", List.of((int) Character.MODIFIER_SYMBOL)),
            Map.entry("So", List.of((int) Character.OTHER_SYMBOL)),
            Map.entry("Zs", List.of((int) Character.SPACE_SEPARATOR)),
            Map.entry("Zl", List.of((int) Character.LINE_SEPARATOR)),
            Map.entry("Zp", List.of((int) Character.PARAGRAPH_SEPARATOR)),
            Map.entry("Cc", List.of((int) Character.CONTROL)),
            Map.entry("Cf", List.of((int) Character.FORMAT)),
            Map.entry("Co", List.of((int) Character.PRIVATE_USE)),
            Map.entry("Cs", List.of((int) Character.SURROGATE)));

    private CharSets() {}

    /** The set of {@code [:name:]}; null when there is none. */
    static @Nullable CharSet posix(String name) {
        return POSIX.get(name);
    }

    /** The set of {@code \p{name}}; null when there is none. */
    static @Nullable CharSet unicode(String name) {
        CharSet known = UNICODE.get(name);
        if (known != null || name.length() > 40) {
            return known;
        }
        IntPredicate member = member(name);
        if (member == null) {
            return null;
        }
        CharSet made = collect(member);
        UNICODE.put(name, made);
        return made;
    }

    private static @Nullable IntPredicate member(String name) {
        if (name.equals("Any")) {
            return _ -> true;
        }
        if (name.length() <= 2) {
            List<Integer> types = new ArrayList<>();
            CATEGORIES.forEach((category, values) -> {
                if (category.startsWith(name)) {
                    types.addAll(values);
                }
            });
            boolean[] wanted = new boolean[64];
            types.forEach(type -> wanted[type] = true);
            return types.isEmpty() ? null : codePoint -> wanted[Character.getType(codePoint)];
        }
        try {
            Character.UnicodeScript script = Character.UnicodeScript.forName(name.toUpperCase(Locale.ROOT));
            return codePoint -> Character.UnicodeScript.of(codePoint) == script;
        } catch (IllegalArgumentException e) {
            return null;
        }
    }

    private static CharSet collect(IntPredicate member) {
        List<CharSet> ranges = new ArrayList<>();
        int first = -1;
        for (int c = 0; c <= CharSet.MAX + 1; c++) {
            boolean in = c <= CharSet.MAX && member.test(c);
            if (in && first < 0) {
                first = c;
            } else if (!in && first >= 0) {
                ranges.add(CharSet.of(first, c - 1));
                first = -1;
            }
        }
        return CharSet.union(ranges);
    }

    /** Characters that are equal but for their case, by what stands for all of them; only where there are several. */
    private static final class Folds {
        static final Map<Integer, List<Integer>> BY_CANONICAL = make();

        private static Map<Integer, List<Integer>> make() {
            Map<Integer, List<Integer>> all = new HashMap<>();
            for (int c = 0; c <= 0x1ffff; c++) {
                if (isCased(c)) {
                    all.computeIfAbsent(canonical(c), _ -> new ArrayList<>()).add(c);
                }
            }
            all.values().removeIf(members -> members.size() < 2);
            return all;
        }

        /** Turkish dotted and dotless letters are no case of the usual ones in RE2. */
        static boolean isCased(int c) {
            return c != 0x130 && c != 0x131 && (Character.toLowerCase(c) != c || Character.toUpperCase(c) != c);
        }

        static int canonical(int c) {
            return Character.toLowerCase(Character.toUpperCase(c));
        }
    }

    /** The set with every character that differs from one of its own by case only. */
    static CharSet fold(CharSet set) {
        List<CharSet> all = new ArrayList<>(List.of(set));
        Folds.BY_CANONICAL.values().forEach(members -> {
            if (members.stream().anyMatch(set::contains)) {
                members.forEach(c -> all.add(CharSet.of(c, c)));
            }
        });
        return CharSet.union(all);
    }
}
