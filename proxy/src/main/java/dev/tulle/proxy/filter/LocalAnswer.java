package dev.tulle.proxy.filter;

import dev.tulle.proxy.http1.HeaderProgram;

/**
 * An answer that the proxy gives in place of a server.
 *
 * @param body text; empty for none
 * @param changes of its fields
 */
public record LocalAnswer(int status, String body, HeaderProgram changes) {}
