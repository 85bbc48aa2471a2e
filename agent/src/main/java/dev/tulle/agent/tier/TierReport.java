package dev.tulle.agent.tier;

/**
 * Why a tier is not used.
 *
 * @param tier the tier
 * @param reason one sentence
 */
public record TierReport(Tier tier, String reason) {}
