/** Clocks, generators and fakes for tests. */
@NullMarked
package dev.tulle.testkit;

import org.jspecify.annotations.NullMarked;
