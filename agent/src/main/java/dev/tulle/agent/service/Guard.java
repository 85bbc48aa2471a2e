package dev.tulle.agent.service;

import dev.tulle.model.Authorizer;
import java.util.Objects;

/** What is known of the authorization policies about a workload of this node. */
public sealed interface Guard {
    /** All of them, perhaps none. Two are equal only with the same authorizer, which is one object until a policy changes. */
    record Known(Authorizer authorizer) implements Guard {
        public Known {
            Objects.requireNonNull(authorizer, "authorizer");
        }
    }

    /** Not yet all: the kernel lets no workload in, the node proxy is asked. */
    record Unknown() implements Guard {}

    /** Of an earlier agent: what that one wrote stays in force until the control plane has answered. */
    record Kept() implements Guard {}
}
