/** The xDS protocol, client and server halves; protobuf to model and back. */
@NullMarked
package dev.tulle.xds;

import org.jspecify.annotations.NullMarked;
