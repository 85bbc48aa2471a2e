package dev.tulle.agent;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import dev.tulle.agent.identity.Identities;
import java.util.List;

/** The identities of this node for the local API; nothing of a key is in it. */
final class IdentityJson {
    private IdentityJson() {}

    static JsonArray of(List<Identities.Report> reports) {
        JsonArray all = new JsonArray();
        for (Identities.Report report : reports) {
            JsonObject one = new JsonObject();
            one.addProperty("identity", report.identity().toString());
            report.held().ifPresent(held -> {
                one.addProperty("serial", held.serial());
                one.addProperty("issued", held.issued().toString());
                one.addProperty("ends", held.ends().toString());
                one.addProperty("renewal", held.renewal().toString());
            });
            one.addProperty("trouble", report.trouble());
            all.add(one);
        }
        return all;
    }
}
