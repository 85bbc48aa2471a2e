package dev.tulle.it.truth;

import java.util.ArrayList;
import java.util.List;

/**
 * One change of the configuration, and what the data path does once everybody enforces it.
 *
 * @param command the words of {@code tulle}, of which {@code FILE} stands for the file with the manifest
 * @param manifest what is applied; empty for a deletion
 * @param then what the data path does afterwards
 */
record Change(List<String> command, String manifest, Sight then) {
    /**
     * What the data path does.
     *
     * @param version which server answers; empty for either
     * @param generation the header that the route sets; {@code -} for none
     * @param db what becomes of a connection: {@code ok} or {@code refused}
     */
    record Sight(String version, String generation, String db) {
        static final Sight FIRST = new Sight("", "-", "ok");

        /** What is wrong with what a probe saw; empty when it saw this. */
        List<String> differences(String seen) {
            String[] words = seen.split(" ");
            List<String> wrong = new ArrayList<>();
            for (int i = 0; i < 2; i++) {
                if (words.length != 3 || !isRequest(words[i])) {
                    wrong.add((i == 0 ? "kept" : "new") + " connection: " + seen + ", expected " + this);
                }
            }
            if (!isConnection(seen)) {
                wrong.add("db: " + seen + ", expected " + this);
            }
            return wrong;
        }

        /** The same of the part that needs no proxy. */
        boolean isConnection(String seen) {
            return seen.endsWith(" " + db);
        }

        private boolean isRequest(String word) {
            return version.isEmpty()
                    ? word.equals("v1/" + generation) || word.equals("v2/" + generation)
                    : word.equals(version + "/" + generation);
        }
    }

    /** A route to one version: the kernel may forward it, unless it marks its answers, which is the proxy's work. */
    static Change route(Sight now, String version, String generation) {
        String mark = generation.equals("-")
                ? ""
                : "\n    headers: {response: {set: {x-generation: \"" + generation + "\"}}}";
        return new Change(
                List.of("apply", "-f", "FILE"), """
                apiVersion: networking.istio.io/v1
                kind: VirtualService
                metadata: {name: truth, namespace: default}
                spec:
                  hosts: [web]
                  http:
                  - route:
                    - destination: {host: web, subset: %s}%s
                """.formatted(version, mark), new Sight(version, generation, now.db()));
    }

    static Change noRoute(Sight now) {
        return new Change(List.of("delete", "virtualservice", "truth"), "", new Sight("", "-", now.db()));
    }

    /** A policy that the kernel enforces at the SYN. */
    static Change policy(Sight now) {
        return new Change(List.of("apply", "-f", "FILE"), """
                apiVersion: security.istio.io/v1
                kind: AuthorizationPolicy
                metadata: {name: truth, namespace: default}
                spec:
                  selector: {matchLabels: {app: db}}
                  action: DENY
                  rules: [{}]
                """, new Sight(now.version(), now.generation(), "refused"));
    }

    static Change noPolicy(Sight now) {
        return new Change(
                List.of("delete", "authorizationpolicy", "truth"),
                "",
                new Sight(now.version(), now.generation(), "ok"));
    }

    boolean isRoute() {
        return command.contains("virtualservice") || manifest.contains("VirtualService");
    }
}
