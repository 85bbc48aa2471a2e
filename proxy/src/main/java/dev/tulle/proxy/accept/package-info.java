/** How connections come in: outbound, explicit and published listeners, original destination, protocol detection. */
@NullMarked
package dev.tulle.proxy.accept;

import org.jspecify.annotations.NullMarked;
