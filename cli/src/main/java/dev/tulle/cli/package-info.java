/** Commands, mains and the launcher. */
@NullMarked
package dev.tulle.cli;

import org.jspecify.annotations.NullMarked;
