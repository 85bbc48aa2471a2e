/** The certificate authority as a part of the control plane: who may have which certificate. */
@NullMarked
package dev.tulle.control.authority;

import org.jspecify.annotations.NullMarked;
