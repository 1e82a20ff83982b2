/**
 * What time it is where the deadlines are kept: the clock of this machine may be a day off.
 *
 * Every reply says when it was written (`Date`). A reply may come late, or out of a cache, but never early; so the latest
 * time that any reply implies is the best one. The time since then is counted by a clock that nobody sets.
 */

/** The time of the server when `ticks` was 0; undefined before it has spoken. */
let origin: number | undefined;

const ticks = (): number => performance.now();

/** Look at a reply's date. */
export function hear(date: string | null, at: number = ticks()): void {
  const time = date === null ? NaN : Date.parse(date);
  if (!Number.isNaN(time)) origin = Math.max(origin ?? -Infinity, time - at);
}

/** Tell the server's time in milliseconds, or null while it is not known. */
export function serverTime(at: number = ticks()): number | null {
  return origin === undefined ? null : origin + at;
}

/** Forget what was heard. */
export function forget(): void {
  origin = undefined;
}

/** `fetch` that listens for the time. */
export const listeningFetch: typeof fetch = async (input, init) => {
  const reply = await fetch(input, init);
  hear(reply.headers.get("Date"));
  return reply;
};
