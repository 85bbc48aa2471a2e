/** What the kernel should hold, and the ways to make it so. */
@NullMarked
package dev.tulle.agent.datapath;

import org.jspecify.annotations.NullMarked;
