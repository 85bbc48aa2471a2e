/** Coverage-guided fuzzing of every parser of bytes from outside: what the targets share, and the replay of the corpus. */
@NullMarked
package dev.tulle.it.fuzz;

import org.jspecify.annotations.NullMarked;
