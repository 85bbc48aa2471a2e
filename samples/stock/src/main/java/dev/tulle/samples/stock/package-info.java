/** A service of gRPC: how many copies of a book the shop has. */
@org.jspecify.annotations.NullMarked
package dev.tulle.samples.stock;
