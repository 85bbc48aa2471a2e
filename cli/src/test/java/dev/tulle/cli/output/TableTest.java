package dev.tulle.cli.output;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import org.junit.jupiter.api.Test;

class TableTest {
    @Test
    void columnsAreAsWideAsTheirWidestCellAndEmptyCellsShow() {
        Table table = new Table("NAME", "A");
        table.row("reviews-v1", "1");
        table.row("", "");

        assertEquals("NAME        A\nreviews-v1  1\n-           -\n", table.text(false));
    }

    @Test
    void onlyTheHeaderIsBold() {
        Table table = new Table("A");
        table.row("b");

        assertEquals("\033[1mA\033[0m\nb\n", table.text(true));
    }

    @Test
    void aRowOfAnotherWidthIsABug() {
        Table table = new Table("A", "B");

        assertThrows(IllegalArgumentException.class, () -> table.row("x"));
    }
}
