import { useCallback, useSyncExternalStore } from "react";
import type { ConnectionState, Readable } from "../index.js";
import { useHanded } from "./provider.js";

export interface ViewOptions {
  /** Let the nearest `<Suspense>` show its fallback until something is known; on a server nothing is waited for. */
  readonly suspense?: boolean;
}

/**
 * Subscribe a component to a view; on the server it is still connecting, with what was read for the page.
 *
 * So it is while hydrating, even if the view has gone live meanwhile: what the server rendered must be found again.
 */
export function useView<S extends object>(view: Readable<S>, { suspense = false }: ViewOptions = {}): S {
  const handed = useHanded();
  const rendered = useCallback(() => view.getInitialSnapshot(handed), [view, handed]);
  // React takes a thrown promise for a wait, in 18 as in 19.
  // eslint-disable-next-line @typescript-eslint/only-throw-error
  if (suspense && typeof document === "object" && knowsNothing(view)) throw firstNews(view);
  return useSyncExternalStore(view.subscribe, view.getSnapshot, rendered);
}

/** How long a view that was waited for is kept for its component to come and subscribe, in milliseconds. */
const KEPT_MS = 10_000;

const waits = new WeakMap<object, Promise<void>>();

/** True if a view is connecting, and was not handed anything to begin with either. */
function knowsNothing(view: Readable<object>): boolean {
  const { connection, asOf } = view.getSnapshot() as { connection?: ConnectionState; asOf?: string };
  return connection === "connecting" && asOf === undefined;
}

/** Settles as soon as a view shows more than that it is connecting. */
function firstNews(view: Readable<object>): Promise<void> {
  const present = waits.get(view);
  if (present !== undefined) return present;
  const news = new Promise<void>((resolve) => {
    const look = (): void => {
      if (knowsNothing(view)) return;
      waits.delete(view);
      setTimeout(() => { stop(); }, KEPT_MS);
      resolve();
    };
    const stop = view.subscribe(look);
    // Live already, since somebody else looks at the same stream.
    queueMicrotask(look);
  });
  waits.set(view, news);
  return news;
}
