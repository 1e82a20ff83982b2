import type { OutcomeSnapshot } from "../index.js";
import { useSignoff } from "./provider.js";
import { useView } from "./use-view.js";

/** Watch how a run ends: `pending`, then its output, or the error that says why there is none. */
export function useResult<T = unknown>(runId: string): OutcomeSnapshot<T> {
  return useView(useSignoff().outcome<T>(runId));
}
