package dev.tulle.model;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.tulle.model.AuthorizationPolicy.Action;
import dev.tulle.model.AuthorizationPolicy.Condition;
import dev.tulle.model.AuthorizationPolicy.Operation;
import dev.tulle.model.AuthorizationPolicy.Rule;
import dev.tulle.model.AuthorizationPolicy.Scope;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** A data path that keeps one answer for all ports that no policy names answers as the policies do. */
class AuthorizerPortsTest {
    private final Random random = new Random(4);

    private List<Integer> ports() {
        List<Integer> ports = new ArrayList<>();
        for (int i = random.nextInt(3); i > 0; i--) {
            ports.add(1 + random.nextInt(6));
        }
        return ports;
    }

    private AuthorizationPolicy policy(int number) {
        List<Rule> rules = new ArrayList<>();
        for (int i = random.nextInt(3); i > 0; i--) {
            Operation operation =
                    new Operation(ports(), ports(), List.of(), List.of(), List.of(), List.of(), List.of(), List.of());
            rules.add(new Rule(
                    List.of(),
                    random.nextBoolean() ? List.of(operation) : List.of(),
                    random.nextBoolean() ? List.of(new Condition.Port(ports(), ports())) : List.of()));
        }
        Action action = random.nextBoolean() ? Action.ALLOW : Action.DENY;
        return new AuthorizationPolicy("default/p" + number, Scope.NAMESPACE, action, rules, ResourceRef.DEFAULT);
    }

    @Test
    void portsThatNobodyNamesAreJudgedAlike() {
        for (int i = 0; i < 2_000; i++) {
            Authorizer authorizer = Authorizer.of(List.of(policy(1), policy(2), policy(3)));
            Set<Integer> named = authorizer.ports();
            for (int port = 1; port <= 8; port++) {
                int asked = named.contains(port) ? port : 0;
                assertEquals(authorizer.tcp(Caller.NONE, port), authorizer.tcp(Caller.NONE, asked), "port " + port);
            }
        }
    }
}
