/**
 * What happens to one request between its client and its endpoint, whatever protocol each of them speaks: decision, tries,
 * deadlines, copies, report.
 */
@NullMarked
package dev.tulle.proxy.forward;

import org.jspecify.annotations.NullMarked;
