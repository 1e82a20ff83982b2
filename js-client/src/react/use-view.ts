import { useSyncExternalStore } from "react";
import type { Readable } from "../index.js";

/**
 * Subscribe a component to a view; on the server it is still connecting.
 *
 * So it is while hydrating, even if the view has gone live meanwhile: what the server rendered must be found again.
 */
export function useView<S>(view: Readable<S>): S {
  return useSyncExternalStore(view.subscribe, view.getSnapshot, view.getInitialSnapshot);
}
