/** One ticking clock for the whole page, so that every "3 minutes ago" moves together. */

import { useSyncExternalStore } from "react";

const TICK = 1000;
const listeners = new Set<() => void>();
let now = Date.now();
let timer: number | undefined;

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  timer ??= window.setInterval(() => {
    now = Date.now();
    for (const each of listeners) each();
  }, TICK);
  return () => {
    listeners.delete(listener);
    if (listeners.size === 0) {
      window.clearInterval(timer);
      timer = undefined;
    }
  };
}

/** The time now, rounded down to `every` milliseconds: a component re-renders only as often as that. */
export function useNow(every = TICK): number {
  return useSyncExternalStore(subscribe, () => Math.floor(now / every) * every);
}
