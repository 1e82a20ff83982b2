import type { VotesSnapshot } from "../index.js";
import { useSignoff } from "./provider.js";
import { useView } from "./use-view.js";

/** Watch the votes on one request: who has agreed, and how many more are needed. */
export function useVotes(runId: string, key: string): VotesSnapshot {
  return useView(useSignoff().votes(runId, key));
}
