/** Istio, Gateway API and Kubernetes kinds: parse, validate, translate; sources. */
@NullMarked
package dev.tulle.config;

import org.jspecify.annotations.NullMarked;
