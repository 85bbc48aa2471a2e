package dev.tulle.agent.host;

import dev.tulle.common.Ip;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * What the host's resolver configuration says.
 *
 * @param nameservers addresses in text form, at most three, never empty
 * @param searchDomains lower case, without a trailing dot, at most six
 */
public record ResolverConfig(List<String> nameservers, List<String> searchDomains) {
    private static final int NAMESERVERS_MAX = 3;
    private static final int SEARCH_MAX = 6;

    public ResolverConfig {
        nameservers = List.copyOf(nameservers);
        searchDomains = List.copyOf(searchDomains);
    }

    /** Reads a file of the form of {@code /etc/resolv.conf}; a missing one means a resolver on this host. */
    public static ResolverConfig read(Path file) throws IOException {
        return parse(Files.exists(file) ? Files.readString(file) : "");
    }

    /** Parses text of the form of {@code /etc/resolv.conf}; as in the C library the last {@code search} line counts. */
    public static ResolverConfig parse(String text) {
        List<String> nameservers = new ArrayList<>();
        List<String> search = new ArrayList<>();
        for (String line : text.split("\n")) {
            String[] words = line.strip().split("[ \t]+");
            if (words.length < 2) {
                continue;
            }
            switch (words[0]) {
                case "nameserver" -> {
                    String address = words[1].contains("%") ? words[1].substring(0, words[1].indexOf('%')) : words[1];
                    if (Ip.parse(address).isPresent() && nameservers.size() < NAMESERVERS_MAX) {
                        nameservers.add(address);
                    }
                }
                case "search", "domain" -> {
                    search.clear();
                    for (int i = 1; i < words.length && search.size() < SEARCH_MAX; i++) {
                        String domain = words[i].toLowerCase(java.util.Locale.ROOT);
                        domain = domain.endsWith(".") ? domain.substring(0, domain.length() - 1) : domain;
                        if (!domain.isEmpty()) {
                            search.add(domain);
                        }
                    }
                }
                default -> {}
            }
        }
        if (nameservers.isEmpty()) {
            nameservers.add("127.0.0.1");
        }
        return new ResolverConfig(nameservers, search);
    }
}
