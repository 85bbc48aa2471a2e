/** How one root takes the place of another: a pure state machine. */
@NullMarked
package dev.tulle.identity.rotation;

import org.jspecify.annotations.NullMarked;
