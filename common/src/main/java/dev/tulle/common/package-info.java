/** Clock, units, backoff, bounded mailbox, drain, result types, reason codes, IP addresses. */
@NullMarked
package dev.tulle.common;

import org.jspecify.annotations.NullMarked;
