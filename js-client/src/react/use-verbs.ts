import type { VerbFunctions, VerbsSnapshot } from "../index.js";
import { useSignoff } from "./provider.js";
import { useView } from "./use-view.js";

/** What `useVerbs` gives: each verb as a function, what is on its way, and what was refused. */
export type UseVerbs = VerbsSnapshot & VerbFunctions;

/** What operators may do to a run: `cancel`, `terminate`, `pause`, `resume`, `delete`, `retry`, `rewind`, `fork`. */
export function useVerbs(runId: string): UseVerbs {
  const view = useSignoff().verbs(runId);
  const snapshot = useView(view);
  const { cancel, terminate, pause, resume, delete: remove, retry, rewind, fork } = view;
  return { ...snapshot, cancel, terminate, pause, resume, delete: remove, retry, rewind, fork };
}
