/** The tiers of the data path and the self-tests that choose among them. */
@NullMarked
package dev.tulle.agent.tier;

import org.jspecify.annotations.NullMarked;
