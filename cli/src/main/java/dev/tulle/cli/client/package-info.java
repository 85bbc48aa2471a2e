/** How commands reach a running mesh: where it is, and calls over its local sockets. */
@NullMarked
package dev.tulle.cli.client;

import org.jspecify.annotations.NullMarked;
