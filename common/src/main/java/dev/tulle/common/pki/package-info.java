/** Certificates and private keys as PEM has them, and the identities in them. */
@NullMarked
package dev.tulle.common.pki;

import org.jspecify.annotations.NullMarked;
