package dev.tulle.config;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;

/**
 * Of which namespaces Gateway API's routes or listeners may attach to an object.
 *
 * @param from where from
 * @param selector what labels such a namespace must have, all of it; only with {@link From#SELECTOR}
 */
record NamespaceChoice(From from, List<Requirement> selector) {
    /** The label that Kubernetes gives to every namespace. */
    private static final String NAME_LABEL = "kubernetes.io/metadata.name";

    /** What Gateway API has where a listener does not say which routes it takes. */
    static final NamespaceChoice SAME = new NamespaceChoice(From.SAME, List.of());

    /** What Gateway API has where a Gateway does not say which ListenerSets it takes. */
    static final NamespaceChoice NONE = new NamespaceChoice(From.NONE, List.of());

    NamespaceChoice {
        selector = List.copyOf(selector);
    }

    /** Where from. */
    enum From {
        ALL("All"),
        SAME("Same"),
        SELECTOR("Selector"),
        NONE("None");

        final String word;

        From(String word) {
            this.word = word;
        }
    }

    /** How a label is compared. */
    enum Operator {
        IN("In"),
        NOT_IN("NotIn"),
        EXISTS("Exists"),
        DOES_NOT_EXIST("DoesNotExist");

        final String word;

        Operator(String word) {
            this.word = word;
        }
    }

    /** A condition on one label. */
    record Requirement(String key, Operator operator, Set<String> values) {
        Requirement {
            values = Set.copyOf(values);
        }

        boolean holds(Map<String, String> labels) {
            String value = labels.get(key);
            return switch (operator) {
                case IN -> value != null && values.contains(value);
                case NOT_IN -> value == null || !values.contains(value);
                case EXISTS -> value != null;
                case DOES_NOT_EXIST -> value == null;
            };
        }

        @Override
        public String toString() {
            String list = values.isEmpty() ? "" : " (" + String.join(", ", new TreeSet<>(values)) + ")";
            return key + " " + operator.word + list;
        }
    }

    /**
     * True when objects of a namespace may attach.
     *
     * @param own the namespace of the object that they attach to
     * @param labels the labels of the other namespace that are written
     */
    boolean admits(String own, String other, Map<String, String> labels) {
        return switch (from) {
            case ALL -> true;
            case SAME -> own.equals(other);
            case NONE -> false;
            case SELECTOR -> {
                Map<String, String> all = new LinkedHashMap<>(labels);
                all.put(NAME_LABEL, other);
                yield selector.stream().allMatch(requirement -> requirement.holds(all));
            }
        };
    }

    /** For a message that tells what would have been right. */
    String describe(String own) {
        return switch (from) {
            case ALL -> "every namespace";
            case SAME -> "the namespace " + own;
            case NONE -> "none";
            case SELECTOR ->
                "a namespace with "
                        + String.join(
                                ", ",
                                selector.stream().map(Requirement::toString).toList());
        };
    }

    /**
     * Decodes {@code namespaces}.
     *
     * @param fields the mapping that may have it
     * @param usual what holds where nothing is said
     */
    static NamespaceChoice decode(Fields fields, NamespaceChoice usual) {
        Optional<Fields> found = fields.object("namespaces");
        if (found.isEmpty()) {
            return usual;
        }
        Fields namespaces = found.get();
        Map<String, From> words = new LinkedHashMap<>();
        for (From from : From.values()) {
            if (from != From.NONE || usual.from() == From.NONE) {
                words.put(from.word, from);
            }
        }
        From from = namespaces.choice("from", words).orElse(usual.from());
        Optional<Fields> selector = namespaces.object("selector");
        List<Requirement> requirements = selector.map(NamespaceChoice::selector).orElse(List.of());
        if (from == From.SELECTOR && selector.isEmpty()) {
            namespaces.requiredObject("selector");
        } else if (from != From.SELECTOR && selector.isPresent()) {
            namespaces.warning("selector", "from: Selector", "without 'from: Selector' the selector says nothing");
        }
        namespaces.done();
        return new NamespaceChoice(from, from == From.SELECTOR ? requirements : List.of());
    }

    private static List<Requirement> selector(Fields selector) {
        List<Requirement> out = new ArrayList<>();
        IstioFields.labels(selector, "matchLabels")
                .forEach((key, value) -> out.add(new Requirement(key, Operator.IN, Set.of(value))));
        Map<String, Operator> words = new LinkedHashMap<>();
        for (Operator operator : Operator.values()) {
            words.put(operator.word, operator);
        }
        for (Fields expression : selector.objects("matchExpressions")) {
            String key = expression.requiredString("key");
            if (!expression.has("operator")) {
                expression.requiredString("operator");
            }
            Optional<Operator> operator = expression.choice("operator", words);
            List<String> values = expression.strings("values");
            boolean listed =
                    operator.isPresent() && (operator.get() == Operator.IN || operator.get() == Operator.NOT_IN);
            if (listed && values.isEmpty()) {
                expression.error("values", "at least one value", "the operator compares with values");
            } else if (operator.isPresent() && !listed && !values.isEmpty()) {
                expression.error("values", "no values beside this operator", "the operator compares with no value");
            }
            expression.done();
            operator.ifPresent(known -> out.add(new Requirement(key, known, Set.copyOf(values))));
        }
        selector.done();
        return out;
    }
}
