/** How other hosts become nodes of the mesh. */
@NullMarked
package dev.tulle.control.join;

import org.jspecify.annotations.NullMarked;
