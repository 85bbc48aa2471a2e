/** On-demand configuration: services, routes, clusters and endpoints as whole snapshots; who a client is. */
@NullMarked
package dev.tulle.proxy.discovery;

import org.jspecify.annotations.NullMarked;
