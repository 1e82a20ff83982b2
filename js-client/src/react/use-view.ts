import { useSyncExternalStore } from "react";
import type { Readable } from "../index.js";

/** Subscribe a component to a view; on the server, and while hydrating, it is still connecting. */
export function useView<S>(view: Readable<S>): S {
  return useSyncExternalStore(view.subscribe, view.getSnapshot, view.getSnapshot);
}
