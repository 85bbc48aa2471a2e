/** Metrics, access log, trace headers, flow records. */
@NullMarked
package dev.tulle.telemetry;

import org.jspecify.annotations.NullMarked;
