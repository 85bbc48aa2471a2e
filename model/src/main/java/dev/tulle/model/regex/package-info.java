/** Regular expressions from configuration, matched in a time that no request can stretch. */
@NullMarked
package dev.tulle.model.regex;

import org.jspecify.annotations.NullMarked;
