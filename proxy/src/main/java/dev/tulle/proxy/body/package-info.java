/** Bodies that are changed on their way: compressed, unpacked, or written otherwise. */
@NullMarked
package dev.tulle.proxy.body;

import org.jspecify.annotations.NullMarked;
