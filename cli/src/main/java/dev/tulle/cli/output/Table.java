package dev.tulle.cli.output;

import java.util.ArrayList;
import java.util.List;

/** Text in columns: a header line and rows, two spaces between columns, no ruling, nothing after the last cell. */
public final class Table {
    private final List<String> header;
    private final List<List<String>> rows = new ArrayList<>();

    /** With the columns' names, written as given. */
    public Table(String... header) {
        this.header = List.of(header);
    }

    /**
     * Adds a row; an empty cell is shown as {@code -}.
     *
     * @throws IllegalArgumentException when the number of cells is not the header's
     */
    public void row(String... cells) {
        if (cells.length != header.size()) {
            throw new IllegalArgumentException(
                    "a row has " + cells.length + " cells, the table " + header.size() + " columns");
        }
        rows.add(List.of(cells));
    }

    /** Whether there is no row. */
    public boolean isEmpty() {
        return rows.isEmpty();
    }

    /** The table's text; the header in bold when {@code colour}. */
    public String text(boolean colour) {
        int[] widths = new int[header.size()];
        for (int i = 0; i < widths.length; i++) {
            widths[i] = header.get(i).length();
            for (List<String> row : rows) {
                widths[i] = Math.max(widths[i], shown(row.get(i)).length());
            }
        }
        StringBuilder out = new StringBuilder();
        if (colour) {
            out.append("\033[1m");
        }
        append(out, header, widths);
        if (colour) {
            out.append("\033[0m");
        }
        out.append('\n');
        for (List<String> row : rows) {
            append(out, row, widths);
            out.append('\n');
        }
        return out.toString();
    }

    private static void append(StringBuilder out, List<String> cells, int[] widths) {
        for (int i = 0; i < cells.size(); i++) {
            String cell = shown(cells.get(i));
            out.append(cell);
            if (i < cells.size() - 1) {
                out.append(" ".repeat(widths[i] - cell.length() + 2));
            }
        }
    }

    private static String shown(String cell) {
        return cell.isEmpty() ? "-" : cell;
    }
}
