/** What the agent does to and reads from the host: cgroups, addresses, routes, nftables, resolvers, commands. */
@NullMarked
package dev.tulle.agent.host;

import org.jspecify.annotations.NullMarked;
