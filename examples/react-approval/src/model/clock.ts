/** One ticking clock for the whole page, so that every "3 minutes ago" moves together: the server's, not this machine's. */

import { useSyncExternalStore } from "react";
import { usePrinting } from "./printing";
import { serverTime } from "./server-clock";

const TICK = 1000;
const listeners = new Set<() => void>();
let now = serverTime();
let timer: number | undefined;

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  timer ??= window.setInterval(() => {
    now = serverTime();
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

/**
 * The server's time now, rounded down to `every` milliseconds: a component re-renders only as often as that. Null while
 * the server has not said what time it is, and on paper, where now is later: then say dates, not distances.
 */
export function useNow(every = TICK): number | null {
  const printing = usePrinting();
  const rounded = useSyncExternalStore(subscribe, () => {
    now ??= serverTime();
    return now === null ? null : Math.floor(now / every) * every;
  });
  return printing ? null : rounded;
}
