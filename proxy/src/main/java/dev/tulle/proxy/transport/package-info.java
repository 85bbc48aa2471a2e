/** TLS, the same for both sides: certificates from files, and what connections are made and taken with. */
@NullMarked
package dev.tulle.proxy.transport;

import org.jspecify.annotations.NullMarked;
