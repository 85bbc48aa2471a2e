package dev.tulle.agent.tier;

/**
 * One hook of the data path, for people.
 *
 * @param hook what it is, for example {@code connect4} or {@code splice}
 * @param active whether it is in force
 * @param detail why it is not, or how it was tried
 */
public record HookStatus(String hook, boolean active, String detail) {}
