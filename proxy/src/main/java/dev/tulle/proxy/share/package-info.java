/** What each workload may take of the proxy, so that none takes it from the others. */
@NullMarked
package dev.tulle.proxy.share;

import org.jspecify.annotations.NullMarked;
