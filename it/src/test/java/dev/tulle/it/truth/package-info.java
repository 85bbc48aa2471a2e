/** Whether the answer of tulle apply and delete is true. */
@NullMarked
package dev.tulle.it.truth;

import org.jspecify.annotations.NullMarked;
