/** Certificates and private keys as PEM has them. */
@NullMarked
package dev.tulle.common.pki;

import org.jspecify.annotations.NullMarked;
