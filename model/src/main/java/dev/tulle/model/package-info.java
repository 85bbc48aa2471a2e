/** Records and sealed types of the domain; pure decisions. */
@NullMarked
package dev.tulle.model;

import org.jspecify.annotations.NullMarked;
