package dev.tulle.xds;

import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Grants every node the same prefix and remembers what it is told; used on the server's owner thread only. */
final class FakeRegistry implements NodeRegistry {
    final List<String> events = new ArrayList<>();
    final Map<String, WorkloadRegistration> workloads = new LinkedHashMap<>();
    /** Those who wait until what they registered is in force; null while nobody has to. */
    @Nullable
    List<Runnable> waiting;

    String refuse = "";

    @Override
    public HelloAnswer hello(NodeHello hello) {
        events.add("hello " + hello.node() + " " + hello.wantedPrefix()
                + (hello.locality().isKnown() ? " in " + hello.locality() : ""));
        return refuse.isEmpty()
                ? new HelloAnswer.Granted(
                        new NodeLease("100.64.3.0/24", "100.64.0.0/10", "240.240.0.0/16", Duration.ofSeconds(30)))
                : new HelloAnswer.Refused(refuse);
    }

    @Override
    public RegistrationAnswer register(String nodeId, WorkloadRegistration workload) {
        String uid = workload.uid(nodeId);
        if (workload.addresses().isEmpty()) {
            return new RegistrationAnswer.Refused(uid, "no address");
        }
        workloads.put(uid, workload);
        events.add("register " + uid);
        return new RegistrationAnswer.Accepted(uid);
    }

    @Override
    public void whenInForce(Runnable callback) {
        List<Runnable> later = waiting;
        if (later == null) {
            callback.run();
        } else {
            later.add(callback);
        }
    }

    @Override
    public void health(String nodeId, String uid, boolean healthy) {
        workloads.computeIfPresent(uid, (key, workload) -> workload.withHealth(healthy));
        events.add("health " + uid + " " + healthy);
    }

    @Override
    public void deregister(String nodeId, String uid) {
        workloads.remove(uid);
        events.add("deregister " + uid);
    }

    @Override
    public void announced(String nodeId, Set<String> uids) {
        workloads.keySet().retainAll(uids);
        events.add("announced " + nodeId + " " + uids.size());
    }

    @Override
    public void disconnected(String nodeId, String reason) {
        events.add("disconnected " + nodeId);
    }
}
