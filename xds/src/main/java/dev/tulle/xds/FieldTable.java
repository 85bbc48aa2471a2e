package dev.tulle.xds;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** The fields of the messages that clients decode and what becomes of each, as {@code fields.txt} lists them. Immutable. */
final class FieldTable {
    static final FieldTable INSTANCE = load();

    private static final String NAME = "fields.txt";

    private final Map<String, MessageFields> messages;

    /** What a client does with a field that is set. */
    enum Use {
        /** It honours the value or refuses it. */
        READ,
        /** It passes over it: the field does not say where requests go. */
        IGNORED,
        /** It refuses the resource. */
        REFUSED
    }

    /** How often a field may be there. */
    enum Shape {
        ONE,
        LIST,
        MAP
    }

    /**
     * A field.
     *
     * @param type the full name of the message that it holds; empty where that is not looked into
     */
    record Field(int number, String name, Shape shape, Use use, String type) {}

    /**
     * The fields of one message by number.
     *
     * @param open whether fields that are not listed may be there too
     */
    record MessageFields(String name, boolean open, Map<Integer, Field> byNumber) {
        @Nullable
        Field find(int number) {
            return byNumber.get(number);
        }
    }

    private FieldTable(Map<String, MessageFields> messages) {
        this.messages = Map.copyOf(messages);
    }

    /** The fields of a message by its full name. */
    Optional<MessageFields> message(String name) {
        return Optional.ofNullable(messages.get(name));
    }

    Map<String, MessageFields> messages() {
        return messages;
    }

    private static FieldTable load() {
        try (InputStream in = FieldTable.class.getResourceAsStream(NAME)) {
            if (in == null) {
                throw new IllegalStateException(NAME + " is missing beside " + FieldTable.class.getName());
            }
            return parse(new BufferedReader(new InputStreamReader(in, StandardCharsets.UTF_8)));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static FieldTable parse(BufferedReader in) throws IOException {
        Map<String, MessageFields> messages = new HashMap<>();
        Map<Integer, Field> fields = new HashMap<>();
        StringBuilder entries = new StringBuilder();
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            if (line.isBlank() || line.startsWith("#")) {
                continue;
            }
            if (line.startsWith(" ")) {
                String text = line.strip();
                String word = text.substring(0, Math.max(0, text.indexOf(' ')));
                if (word.equals("read") || word.equals("ignored") || word.equals("refused")) {
                    addAll(entries, fields);
                }
                entries.append(' ').append(text);
                continue;
            }
            addAll(entries, fields);
            fields = new HashMap<>();
            boolean open = line.endsWith(" *");
            String name = open ? line.substring(0, line.length() - 2) : line;
            messages.put(name, new MessageFields(name, open, fields));
        }
        addAll(entries, fields);
        return new FieldTable(messages);
    }

    /** Adds the fields of one use: its word, then the fields, separated by commas. */
    private static void addAll(StringBuilder entries, Map<Integer, Field> to) {
        String text = entries.toString().strip();
        entries.setLength(0);
        if (text.isEmpty()) {
            return;
        }
        int word = text.indexOf(' ');
        Use use = Use.valueOf(text.substring(0, word).toUpperCase(Locale.ROOT));
        for (String entry : text.substring(word + 1).split(",", -1)) {
            String[] parts = entry.strip().split(" ", -1);
            int number = Integer.parseInt(parts[0]);
            Shape shape = parts[1].endsWith("[]") ? Shape.LIST : parts[1].endsWith("{}") ? Shape.MAP : Shape.ONE;
            String name = shape == Shape.ONE ? parts[1] : parts[1].substring(0, parts[1].length() - 2);
            to.put(number, new Field(number, name, shape, use, parts.length > 2 ? parts[2] : ""));
        }
    }
}
