package dev.tulle.kernel;

/**
 * One facility of the host, and whether it is there.
 *
 * @param name such as {@code program SK_MSG} or {@code helper bpf_bind}
 * @param available whether it may be used
 * @param reason one line: what was seen
 */
public record Feature(String name, boolean available, String reason) {
    static Feature of(String name, boolean available, String reason) {
        return new Feature(name, available, reason);
    }
}
