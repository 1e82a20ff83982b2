import type { RunsSnapshot } from "../index.js";
import { useSignoff } from "./provider.js";
import { useView } from "./use-view.js";
import type { ViewOptions } from "./use-view.js";

/** Watch the runs of one workflow, newest first. */
export function useRuns(workflow: string, options?: ViewOptions): RunsSnapshot {
  return useView(useSignoff().runs(workflow), options);
}
