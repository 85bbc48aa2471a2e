/** What the control plane keeps over its restarts. */
@NullMarked
package dev.tulle.control.state;

import org.jspecify.annotations.NullMarked;
