/** The keys and certificates of the identities that live on this node, and who among its processes has which. */
@NullMarked
package dev.tulle.agent.identity;

import org.jspecify.annotations.NullMarked;
