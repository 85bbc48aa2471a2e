package dev.tulle.model;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.tulle.model.HeaderMutation.Changes;
import dev.tulle.model.HeaderMutation.Field;
import java.util.List;
import org.junit.jupiter.api.Test;

/** A rule's changes and its only destination's as one step, in the order in which Istio gives them to Envoy. */
class HeaderMutationTest {
    private static HeaderMutation request(List<Field> set, List<Field> add, String... remove) {
        return new HeaderMutation(new Changes(set, add, List.of(remove)), Changes.NONE);
    }

    @Test
    void whatTheDestinationSetsReplacesWhatTheRuleSetsOrAdds() {
        HeaderMutation rule = request(
                List.of(new Field("a", "rule"), new Field("b", "rule")),
                List.of(new Field("c", "rule"), new Field("d", "rule")),
                "e");
        HeaderMutation destination = request(
                List.of(new Field("a", "destination"), new Field("c", "destination")),
                List.of(new Field("d", "destination")),
                "b");
        assertEquals(
                request(
                        List.of(new Field("b", "rule"), new Field("a", "destination"), new Field("c", "destination")),
                        List.of(new Field("d", "rule"), new Field("d", "destination")),
                        "e",
                        "b"),
                rule.with(destination));
    }

    @Test
    void theAuthorityIsTheRulesWhereBothSetIt() {
        HeaderMutation rule = request(List.of(new Field("host", "rule")), List.of());
        HeaderMutation destination = request(List.of(new Field("host", "destination")), List.of());
        assertEquals(rule, rule.with(destination));
        assertEquals(destination, HeaderMutation.NONE.with(destination));
    }
}
