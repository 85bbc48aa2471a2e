package dev.tulle.cli.output;

import com.google.gson.GsonBuilder;
import com.google.gson.JsonElement;
import java.io.PrintStream;
import java.util.Locale;
import java.util.function.Supplier;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Option;
import picocli.CommandLine.TypeConversionException;

/** Prints a command's result in the form that was asked for. A picocli mixin. */
public final class Output {
    /** The forms of {@code -o}. */
    public enum Form {
        TABLE,
        JSON,
        YAML
    }

    static final class FormConverter implements ITypeConverter<Form> {
        @Override
        public Form convert(String value) {
            return switch (value.toLowerCase(Locale.ROOT)) {
                case "table" -> Form.TABLE;
                case "json" -> Form.JSON;
                case "yaml" -> Form.YAML;
                default -> throw new TypeConversionException("'" + value + "': expected table, json or yaml");
            };
        }
    }

    @Option(
            names = {"-o", "--output"},
            paramLabel = "FORM",
            converter = FormConverter.class,
            completionCandidates = FormNames.class,
            description = "How to print: table (default), json or yaml.")
    private Form form = Form.TABLE;

    static final class FormNames extends java.util.ArrayList<String> {
        private static final long serialVersionUID = 1;

        FormNames() {
            super(java.util.List.of("table", "json", "yaml"));
        }
    }

    /** Whether a person reads the output. */
    public boolean isTable() {
        return form == Form.TABLE;
    }

    /** Prints the value as JSON or YAML, or the text made for people. */
    public void print(PrintStream out, JsonElement value, Supplier<String> table) {
        switch (form) {
            case TABLE -> out.print(table.get());
            case JSON ->
                out.println(new GsonBuilder()
                        .setPrettyPrinting()
                        .disableHtmlEscaping()
                        .serializeNulls()
                        .create()
                        .toJson(value));
            case YAML -> out.print(Yaml.write(value));
        }
        out.flush();
    }

    /** Whether colour may be used: standard output is a terminal (the launcher says so) and NO_COLOR is not set. */
    public static boolean colour() {
        String noColour = System.getenv("NO_COLOR");
        return "1".equals(System.getenv("TULLE_TERMINAL")) && (noColour == null || noColour.isEmpty());
    }
}
