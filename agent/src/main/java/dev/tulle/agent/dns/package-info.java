/** The mesh's DNS: message codec, names, forwarding and the server. */
@NullMarked
package dev.tulle.agent.dns;

import org.jspecify.annotations.NullMarked;
