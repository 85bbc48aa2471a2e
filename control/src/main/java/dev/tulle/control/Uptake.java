package dev.tulle.control;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import dev.tulle.config.ResourceKey;
import dev.tulle.model.MeshState;
import dev.tulle.xds.ClientStand;
import dev.tulle.xds.Refusal;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Predicate;

/**
 * What has become of a change: whether it is distributed, and how each client stands to it. Immutable.
 *
 * @param trouble why it is not distributed; empty when it is
 * @param unsendable what of the state cannot be sent at all, by type and name, with the reason
 * @param waited how long the clients were given
 * @param clients how each stands; empty when nobody was waited for
 * @param before what was distributed before the change
 * @param after what is distributed now
 */
record Uptake(
        String trouble,
        Map<String, String> unsendable,
        Duration waited,
        List<ClientStand> clients,
        MeshState before,
        MeshState after) {
    Uptake {
        unsendable = Map.copyOf(unsendable);
        clients = List.copyOf(clients);
    }

    /** Why the change is not enforced everywhere, a sentence for each client and resource; empty when it is. */
    List<String> shortfalls(Set<ResourceKey> objects) {
        List<String> all = new ArrayList<>();
        if (!trouble.isEmpty()) {
            all.add(trouble);
        }
        unsendable.forEach((resource, reason) -> all.add(resource + " cannot be sent: " + reason));
        Predicate<Refusal> concerned = Concern.of(before, after).or(Concern.of(objects, after));
        for (ClientStand client : clients) {
            if (client.stand() == ClientStand.Stand.AWAY) {
                all.add(client.client() + " did not answer within " + seconds() + ": " + client.detail()
                        + ", and enforces what it had");
            } else if (client.stand() == ClientStand.Stand.SILENT) {
                all.add(client.client() + " did not answer within " + seconds() + ": " + client.detail()
                        + "; it is stopped, busy, or cannot write what it was sent");
            }
            client.refusals().stream().filter(concerned).forEach(refusal -> all.add(refused(client, refusal)));
        }
        return all;
    }

    private static String refused(ClientStand client, Refusal refusal) {
        return client.client() + " refuses " + refusal.resource() + ", what it had stays in force there: "
                + refusal.reason();
    }

    private String seconds() {
        return waited.toMillis() < 1000 ? waited.toMillis() + " ms" : waited.toSeconds() + " s";
    }

    /** The state of one object: {@code in force}, {@code partly} or {@code refused}, with the reasons. */
    void describe(ResourceKey object, JsonObject into) {
        describe(object, after, clients, into);
    }

    /** The state of one object by what clients have refused. */
    static void describe(ResourceKey object, MeshState state, List<ClientStand> clients, JsonObject into) {
        Predicate<Refusal> concerned = Concern.of(Set.of(object), state);
        JsonArray reasons = new JsonArray();
        int refusing = 0;
        int open = 0;
        for (ClientStand client : clients) {
            List<Refusal> refusals =
                    client.refusals().stream().filter(concerned).toList();
            refusals.forEach(refusal -> reasons.add(refused(client, refusal)));
            refusing += refusals.isEmpty() ? 0 : 1;
            if (refusals.isEmpty() && client.stand() != ClientStand.Stand.ANSWERED) {
                open++;
                reasons.add(client.client() + " has not answered: " + client.detail());
            }
        }
        boolean nobody = refusing > 0 && refusing + open == clients.size();
        into.addProperty("state", nobody ? "refused" : refusing + open > 0 ? "partly" : "in force");
        into.add("reasons", reasons);
    }
}
