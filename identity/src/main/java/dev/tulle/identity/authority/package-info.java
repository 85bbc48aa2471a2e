/** The certificate authority: its keys and their files, what it signs, what it revokes. */
@NullMarked
package dev.tulle.identity.authority;

import org.jspecify.annotations.NullMarked;
