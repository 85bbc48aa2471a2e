/** End-to-end and architecture tests. */
@NullMarked
package dev.tulle.it;

import org.jspecify.annotations.NullMarked;
