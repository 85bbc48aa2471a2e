package dev.tulle.agent.datapath;

import dev.tulle.agent.datapath.Structs.PairKey;
import dev.tulle.agent.datapath.Structs.PairValue;
import dev.tulle.kernel.BpfObject;
import dev.tulle.kernel.TypedMap;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;

/** Reads what the kernel counts of the connections that it balances. Owner thread only. */
final class TcpPairs {
    private static final PairKey REST = new PairKey(0, 0, 0);

    private final TypedMap<PairKey, PairValue> pairs;

    TcpPairs(BpfObject object) {
        this.pairs = Structs.map(object.map("tulle_pairs"), PairKey.class, PairValue.class);
        // While there is room for it: it counts for those that there is no room for.
        pairs.putNew(REST, new PairValue(0, 0, 0, 0));
    }

    /** Everything that was ever counted and not removed. */
    List<TcpCount> counts() {
        List<TcpCount> counts = new ArrayList<>();
        pairs.forEach((key, value) -> counts.add(new TcpCount(
                key.client(),
                key.server(),
                key.service(),
                value.opened(),
                value.closed(),
                value.sent(),
                value.received())));
        return counts;
    }

    /** Removes the entries of these. */
    void forget(Collection<TcpCount> counts) {
        for (TcpCount count : counts) {
            PairKey key = new PairKey(count.source(), count.destination(), count.service());
            if (!key.equals(REST)) {
                pairs.delete(key);
            }
        }
    }
}
