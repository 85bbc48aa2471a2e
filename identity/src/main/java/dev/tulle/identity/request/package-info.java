/** Requests to the authority, from both sides: made by whoever wants a certificate, read by whoever signs. Holds no key of the authority. */
@NullMarked
package dev.tulle.identity.request;

import org.jspecify.annotations.NullMarked;
