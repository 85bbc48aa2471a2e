/**
 * The two Java programs of the Bookinfo demo, details and reviews. JDK only: no mesh library, no
 * dependency, and no class shared with the rest of this repository.
 *
 * <p>Not marked for null checks: the annotation would be a dependency, and the script {@code run}
 * compiles these sources with the JDK alone.
 */
package dev.tulle.samples.bookinfo;
