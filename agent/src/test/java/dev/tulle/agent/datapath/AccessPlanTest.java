package dev.tulle.agent.datapath;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonParser;
import dev.tulle.agent.datapath.AccessPlan.Settled;
import dev.tulle.agent.datapath.Structs.AccessKey;
import dev.tulle.agent.datapath.Structs.PermitKey;
import dev.tulle.agent.enrol.EnrolRequest;
import dev.tulle.agent.enrol.Lease;
import dev.tulle.agent.enrol.RefusedException;
import dev.tulle.agent.service.Guard;
import dev.tulle.agent.service.Guards;
import dev.tulle.common.Cidr;
import dev.tulle.model.AuthorizationPolicy;
import dev.tulle.model.AuthorizationPolicy.Action;
import dev.tulle.model.AuthorizationPolicy.Condition;
import dev.tulle.model.AuthorizationPolicy.Rule;
import dev.tulle.model.AuthorizationPolicy.Scope;
import dev.tulle.model.AuthorizationPolicy.Source;
import dev.tulle.model.Authorizer;
import dev.tulle.model.ResourceRef;
import dev.tulle.model.TextPattern;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** What policies and leases become for the guard. */
class AccessPlanTest {
    private static final Cidr PREFIX = Cidr.of("prefix", "100.80.3.0/24");
    private static final int MANY = 1000;

    private static Lease lease(String name, String account, int part, Lease.State state) throws RefusedException {
        String request = "{'name':'" + name + "','serviceAccount':'" + account + "'"
                + (state == Lease.State.DORMANT ? ",'unit':'x.service'}" : "}");
        return new Lease(
                EnrolRequest.parse(
                        JsonParser.parseString(request.replace('\'', '"')).getAsJsonObject()),
                PREFIX.host(part),
                part,
                "/tulle/workloads/" + name,
                1000 + part,
                true,
                Instant.EPOCH,
                state);
    }

    private static List<Lease> leases() throws RefusedException {
        return List.of(
                lease("db", "db", 10, Lease.State.RUNNING),
                lease("web", "web", 11, Lease.State.STARTING),
                lease("job", "job", 12, Lease.State.RUNNING),
                lease("asleep", "web", 13, Lease.State.DORMANT));
    }

    private static AuthorizationPolicy policy(String name, Action action, Rule... rules) {
        return new AuthorizationPolicy("default/" + name, Scope.NAMESPACE, action, List.of(rules), ResourceRef.DEFAULT);
    }

    private static Rule from(String account, Condition... when) {
        TextPattern principal = new TextPattern.Exact("cluster.local/ns/default/sa/" + account);
        return new Rule(
                List.of(new Source(List.of(principal), List.of(), List.of(), List.of())), List.of(), List.of(when));
    }

    private static Guards guarded(AuthorizationPolicy... policies) {
        Map<String, Guard> guards = Map.of(
                "default/db", new Guard.Known(Authorizer.of(List.of(policies))),
                "default/web", new Guard.Known(Authorizer.NONE),
                "default/job", new Guard.Known(Authorizer.NONE),
                "default/asleep", new Guard.Known(Authorizer.of(List.of(policies))));
        return new Guards(guards, Set.of("default/web", "default/asleep", "default/gone"));
    }

    private static PermitKey mark(int part) {
        return new PermitKey(MeshNetwork.address("100.80.3." + part), 0, Structs.SOURCE_GUARDED);
    }

    @Test
    void everyPairOfWorkloadsIsSettled() throws RefusedException {
        AccessPlan plan = AccessPlan.of(
                leases(), guarded(policy("readers", Action.ALLOW, from("web")), policy("no", Action.DENY)), MANY);
        assertEquals(Set.of(11), plan.adopted());
        assertEquals(Set.of(mark(10)), plan.marks());
        assertEquals(
                Map.of(
                        new AccessKey(10, 10, 0), new Settled(false, "none"),
                        new AccessKey(10, 11, 0), Settled.ALLOWED,
                        new AccessKey(10, 12, 0), new Settled(false, "none")),
                plan.pairs());
    }

    @Test
    void portsThatAPolicyNamesAreSettledByThemselves() throws RefusedException {
        Condition only = new Condition.Port(List.of(5432), List.of());
        AccessPlan plan = AccessPlan.of(leases(), guarded(policy("no-job", Action.DENY, from("job", only))), MANY);
        assertEquals(6, plan.pairs().size());
        assertEquals(new Settled(false, "default/no-job"), plan.pairs().get(new AccessKey(10, 12, 5432)));
        assertEquals(Settled.ALLOWED, plan.pairs().get(new AccessKey(10, 12, 0)));
        assertEquals(Settled.ALLOWED, plan.pairs().get(new AccessKey(10, 11, 5432)));
    }

    @Test
    void whatIsNotKnownIsMarkedAndNotSettled() throws RefusedException {
        AccessPlan plan = AccessPlan.of(
                leases(),
                new Guards(Map.of("default/db", new Guard.Unknown(), "default/web", new Guard.Kept()), Set.of()),
                MANY);
        assertEquals(Set.of(mark(10), mark(12)), plan.marks(), "nobody has said anything of the third");
        assertEquals(Map.of(11, mark(11)), plan.kept());
        assertTrue(plan.pairs().isEmpty());
    }

    @Test
    void whatDoesNotFitIsLeftToTheProxy() throws RefusedException {
        AccessPlan plan = AccessPlan.of(leases(), guarded(policy("nobody", Action.ALLOW)), 2);
        assertEquals(Set.of(mark(10)), plan.marks());
        assertTrue(plan.pairs().isEmpty());
    }
}
