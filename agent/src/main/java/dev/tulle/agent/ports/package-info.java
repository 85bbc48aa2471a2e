/** The mesh's own listening sockets, held so that their ports are never free, and who else listens on this host. */
@NullMarked
package dev.tulle.agent.ports;

import org.jspecify.annotations.NullMarked;
