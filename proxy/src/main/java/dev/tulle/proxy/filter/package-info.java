/** What lies in a request's way between its client and the router. */
@NullMarked
package dev.tulle.proxy.filter;

import org.jspecify.annotations.NullMarked;
