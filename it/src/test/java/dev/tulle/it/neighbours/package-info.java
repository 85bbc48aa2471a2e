/** What workloads that share a mesh notice of each other. */
@NullMarked
package dev.tulle.it.neighbours;

import org.jspecify.annotations.NullMarked;
