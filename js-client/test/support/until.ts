/** Waiting for conditions, never for time. */

interface Watchable<S> {
  readonly subscribe: (listener: () => void) => () => void;
  readonly getSnapshot: () => S;
}

/** Subscribe until a snapshot fulfils `condition`; fails with the last snapshot when it takes too long. */
export function until<S>(view: Watchable<S>, condition: (snapshot: S) => boolean, ms = 8_000): Promise<S> {
  return new Promise((resolve, reject) => {
    const check = (): void => {
      const snapshot = view.getSnapshot();
      if (!condition(snapshot)) return;
      clearTimeout(timer);
      queueMicrotask(() => { stop(); });
      resolve(snapshot);
    };
    const timer = setTimeout(() => {
      stop();
      reject(new Error(`not within ${ms} ms; last: ${JSON.stringify(view.getSnapshot())}`));
    }, ms);
    const stop = view.subscribe(check);
    check();
  });
}

/** Wait until `condition` holds, looking again every few milliseconds. */
export async function eventually(condition: () => boolean | Promise<boolean>, what = "the condition", ms = 8_000): Promise<void> {
  const deadline = Date.now() + ms;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`not within ${ms} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
