/** Kernel HTTP: what of a service port's routes and policies the kernel can prove, as one immutable table. Pure. */
@NullMarked
package dev.tulle.agent.http;

import org.jspecify.annotations.NullMarked;
