package dev.tulle.cli.output;

import java.io.PrintStream;
import java.util.ArrayList;
import java.util.List;

/** What the demo prints, and the tally of its checks. One thread. */
public final class Report {
    private final PrintStream out;
    private final boolean colour;
    private final List<String> failures = new ArrayList<>();
    private int passed;
    private int step;

    /** To a stream. */
    public Report(PrintStream out, boolean colour) {
        this.out = out;
        this.colour = colour;
    }

    /** Begins a numbered step. */
    public void step(String title) {
        step++;
        out.println();
        out.println(bold(step + ". " + title));
        out.flush();
    }

    /** A line of a step. */
    public void line(String text) {
        out.println("   " + text);
        out.flush();
    }

    /** A check of a step: what was seen, and whether it is as it should be. */
    public void check(String seen, boolean good, String expected) {
        if (good) {
            passed++;
            line(seen + "  " + green("ok"));
        } else {
            failures.add(seen + "; expected " + expected);
            line(seen + "  " + red("WRONG") + ": expected " + expected);
        }
    }

    /** Text outside any step. */
    public void plain(String text) {
        out.println(text);
        out.flush();
    }

    /** Checks that were as they should be. */
    public int passed() {
        return passed;
    }

    /** Checks that were not. */
    public List<String> failures() {
        return List.copyOf(failures);
    }

    /** The text in bold type, where the stream has colours. */
    public String bold(String text) {
        return paint("1", text);
    }

    private String green(String text) {
        return paint("32", text);
    }

    private String red(String text) {
        return paint("31", text);
    }

    private String paint(String code, String text) {
        return colour ? "\033[" + code + "m" + text + "\033[0m" : text;
    }
}
