/** The demonstration: Bookinfo through the mesh, step by step. */
@NullMarked
package dev.tulle.cli.demo;

import org.jspecify.annotations.NullMarked;
