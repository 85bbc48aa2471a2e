package dev.tulle.agent;

import dev.tulle.agent.datapath.Datapath;
import dev.tulle.agent.tier.TierReport;
import java.util.List;

/**
 * The data path that is used.
 *
 * @param datapath the data path
 * @param refused better tiers and why each is not used
 */
record ChosenTier(Datapath datapath, List<TierReport> refused) {
    ChosenTier {
        refused = List.copyOf(refused);
    }
}
