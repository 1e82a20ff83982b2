/** What time it is, for all that tells an age: one timer for the page. */
import { useSyncExternalStore } from "react";

const listeners = new Set<() => void>();
let now = Date.now();
let timer: ReturnType<typeof setInterval> | undefined;

function tick(): void {
  now = Date.now();
  for (const listener of [...listeners]) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  timer ??= setInterval(tick, 1000);
  return () => {
    listeners.delete(listener);
    if (listeners.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };
}

/** Milliseconds since the epoch, to the full `step`: whoever shows minutes is not drawn each second. */
export function useNow(step = 1000): number {
  const read = (): number => Math.floor(now / step) * step;
  return useSyncExternalStore(subscribe, read, read);
}
