/** The side toward endpoints: pools of connections that never leave their event loop, and reading of responses. */
@NullMarked
package dev.tulle.proxy.upstream;

import org.jspecify.annotations.NullMarked;
