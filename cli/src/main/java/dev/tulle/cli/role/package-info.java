/** The commands that are a role of the mesh: up, control, agent, proxy, and the supervision of the proxy. */
@NullMarked
package dev.tulle.cli.role;

import org.jspecify.annotations.NullMarked;
