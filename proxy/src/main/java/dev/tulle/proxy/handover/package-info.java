/** The change from one proxy process to the next: listening sockets are passed, connections stay where they are. */
@NullMarked
package dev.tulle.proxy.handover;

import org.jspecify.annotations.NullMarked;
