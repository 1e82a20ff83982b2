/** How long to wait before trying again: exponential, capped, with jitter, never less than asked. */

/** Delays in milliseconds. */
export interface Backoff {
  readonly first: number;
  readonly most: number;
  readonly factor: number;
}

export const liveBackoff: Backoff = { first: 250, most: 30_000, factor: 2 };
export const submitBackoff: Backoff = { first: 400, most: 15_000, factor: 2 };

export const recoverBackoff: Backoff = { first: 30_000, most: 300_000, factor: 2 };

/** A server may ask for no more patience than this, in milliseconds: a month's pause is a mistake of somebody's. */
const MOST_ASKED_MS = 300_000;

/**
 * Compute the wait before retry `attempt` (0 for the first), in milliseconds.
 *
 * Half of it is fixed and half is random, so that a thousand tabs that lost one server
 * do not come back in step, and none comes back at once.
 */
export function delay(backoff: Backoff, attempt: number, atLeast = 0, random = Math.random): number {
  const whole = Math.min(backoff.most, backoff.first * backoff.factor ** attempt);
  return Math.max(Math.min(atLeast, MOST_ASKED_MS), whole / 2 + (whole / 2) * random());
}
