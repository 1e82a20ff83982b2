/** Timers that keep their word: a wait longer than a timer can hold is as long as one can, not none at all. */

/** Beyond this `setTimeout` overflows and fires at once (HTML, timers: a signed 32-bit number). */
const LONGEST_MS = 2 ** 31 - 1;

/** Call `run` after `ms`; the returned function calls it off. */
export function after(ms: number, run: () => void): () => void {
  const timer = setTimeout(run, Math.min(ms, LONGEST_MS));
  return () => { clearTimeout(timer); };
}

/** Settle as `work` does, or reject with what `late` makes if that takes longer than `ms`. */
export async function within<T>(ms: number, work: Promise<T>, late: () => Error): Promise<T> {
  let cancel: (() => void) | undefined;
  const timeout = new Promise<never>((_resolve, reject) => {
    cancel = after(ms, () => { reject(late()); });
  });
  try {
    return await Promise.race([work, timeout]);
  } finally {
    cancel?.();
  }
}
