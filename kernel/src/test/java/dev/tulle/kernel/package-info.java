@NullMarked
package dev.tulle.kernel;

import org.jspecify.annotations.NullMarked;
