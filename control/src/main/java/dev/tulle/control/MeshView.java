package dev.tulle.control;

import dev.tulle.config.ConfigSnapshot;
import dev.tulle.config.Problem;
import dev.tulle.model.MeshState;
import java.util.List;

/**
 * What the control plane distributes at one moment, and the configuration that it was made from. Immutable.
 *
 * @param number the snapshot's number, counted from 1; 0 before the first
 * @param config the resources in force
 * @param state what is distributed
 * @param problems everything that is wrong, of configuration and of translation
 */
record MeshView(long number, ConfigSnapshot config, MeshState state, List<Problem> problems) {
    static final MeshView NONE = new MeshView(0, ConfigSnapshot.EMPTY, MeshState.EMPTY, List.of());

    MeshView {
        problems = List.copyOf(problems);
    }
}
