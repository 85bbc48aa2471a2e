/** The administrator's pages, readiness and metrics; on threads of their own. */
@NullMarked
package dev.tulle.proxy.admin;

import org.jspecify.annotations.NullMarked;
