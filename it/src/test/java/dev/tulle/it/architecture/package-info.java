/** Tests of the project's structure. */
@NullMarked
package dev.tulle.it.architecture;

import org.jspecify.annotations.NullMarked;
