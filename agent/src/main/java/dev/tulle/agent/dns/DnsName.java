package dev.tulle.agent.dns;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.regex.Pattern;

/**
 * A domain name.
 *
 * @param labels its labels as lower-case text (one character a byte), the leftmost first; empty for the root
 */
public record DnsName(List<String> labels) {
    private static final Pattern HOST_LABEL = Pattern.compile("[a-z0-9_]([-a-z0-9_]{0,61}[a-z0-9_])?");

    public DnsName {
        labels = List.copyOf(labels);
    }

    /** The name of dotted text, with or without the last dot. */
    public static DnsName of(String text) {
        String trimmed = text.endsWith(".") ? text.substring(0, text.length() - 1) : text;
        return trimmed.isEmpty()
                ? new DnsName(List.of())
                : new DnsName(List.of(trimmed.toLowerCase(Locale.ROOT).split("\\.", -1)));
    }

    /** True when every label could be part of a host name; others cannot be shown as dotted text. */
    public boolean isHostName() {
        return !labels.isEmpty()
                && labels.stream().allMatch(label -> HOST_LABEL.matcher(label).matches());
    }

    /** True when the name ends with these labels and has more. */
    public boolean isBelow(DnsName parent) {
        int extra = labels.size() - parent.labels.size();
        return extra > 0 && labels.subList(extra, labels.size()).equals(parent.labels);
    }

    /** The name without the labels of a parent. */
    public DnsName without(DnsName parent) {
        return new DnsName(labels.subList(0, labels.size() - parent.labels.size()));
    }

    /** Bytes of the wire form that is not compressed. */
    int wireLength() {
        int length = 1;
        for (String label : labels) {
            length += label.length() + 1;
        }
        return length;
    }

    /** Appends the name's wire form, never compressed. */
    void write(DnsWriter out) {
        for (String label : labels) {
            byte[] bytes = label.getBytes(StandardCharsets.ISO_8859_1);
            out.u8(bytes.length);
            out.bytes(bytes);
        }
        out.u8(0);
    }

    /** The address of a reverse name ({@code 7.0.240.240.in-addr.arpa}) in text form, empty for another name. */
    public String reverse4() {
        if (labels.size() != 6
                || !labels.get(4).equals("in-addr")
                || !labels.get(5).equals("arpa")) {
            return "";
        }
        List<String> parts = new ArrayList<>(labels.subList(0, 4)).reversed();
        return String.join(".", parts);
    }

    @Override
    public String toString() {
        return String.join(".", labels);
    }
}
