package dev.tulle.kernel;

import java.nio.file.Path;
import java.util.List;

/** A pinned map that the object cannot use; the owner decides whether to migrate its entries or remove the pin. */
public final class IncompatibleMapException extends BpfException {
    private static final long serialVersionUID = 1L;

    private final String map;
    private final transient Path pin;
    private final transient List<String> differences;

    IncompatibleMapException(String map, Path pin, List<String> differences) {
        super("map " + map + " pinned at " + pin + " is not compatible: " + String.join("; ", differences));
        this.map = map;
        this.pin = pin;
        this.differences = List.copyOf(differences);
    }

    public String map() {
        return map;
    }

    public Path pin() {
        return pin;
    }

    /** One sentence per difference. */
    public List<String> differences() {
        return differences;
    }
}
