/** The target's end of tunnels between nodes: who may come in, and where to. */
@NullMarked
package dev.tulle.proxy.inbound;

import org.jspecify.annotations.NullMarked;
