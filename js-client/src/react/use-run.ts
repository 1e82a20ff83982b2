import type { RunSnapshot } from "../index.js";
import { useSignoff } from "./provider.js";
import { useView } from "./use-view.js";

/** Watch one run: its row, steps, requests and progress, live. */
export function useRun(runId: string): RunSnapshot {
  return useView(useSignoff().run(runId));
}
