import type { RunSnapshot } from "../index.js";
import { useSignoff } from "./provider.js";
import { useView } from "./use-view.js";
import type { ViewOptions } from "./use-view.js";

/** Watch one run: its row, steps, requests and progress, live. */
export function useRun(runId: string, options?: ViewOptions): RunSnapshot {
  return useView(useSignoff().run(runId), options);
}
