/** The demo of a mesh on several hosts, each a network namespace of this machine. */
@NullMarked
package dev.tulle.cli.demo.hosts;

import org.jspecify.annotations.NullMarked;
