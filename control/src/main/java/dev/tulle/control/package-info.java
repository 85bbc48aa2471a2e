/** The control plane. */
@NullMarked
package dev.tulle.control;

import org.jspecify.annotations.NullMarked;
