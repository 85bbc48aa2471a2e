package dev.tulle.proxy.filter;

import dev.tulle.proxy.http1.HeaderProgram;

/**
 * An answer that the proxy gives in place of a server.
 *
 * @param body text; empty for none
 * @param changes of its fields
 */
// Nobody compares answers.
@SuppressWarnings("ArrayRecordComponent")
public record LocalAnswer(int status, byte[] body, HeaderProgram changes) {}
