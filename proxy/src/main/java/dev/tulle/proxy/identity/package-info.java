/** Who workloads and nodes are to each other: their certificates, and what connections are made and taken with under them. */
@NullMarked
package dev.tulle.proxy.identity;

import org.jspecify.annotations.NullMarked;
