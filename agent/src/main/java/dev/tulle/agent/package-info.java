/** The node agent. */
@NullMarked
package dev.tulle.agent;

import org.jspecify.annotations.NullMarked;
