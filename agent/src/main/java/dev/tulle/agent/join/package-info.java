/** How a node belongs to a mesh whose control plane is on another host. */
@NullMarked
package dev.tulle.agent.join;

import org.jspecify.annotations.NullMarked;
