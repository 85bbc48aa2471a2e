package dev.tulle.config;

/**
 * Where in a document something stands, kept for problems that only show when resources are seen together.
 *
 * @param line counted from 1
 * @param column counted from 1
 * @param field the path of the field
 */
public record Position(int line, int column, String field) {}
