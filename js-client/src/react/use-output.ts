import type { OutputSnapshot } from "../index.js";
import { useSignoff } from "./provider.js";
import { useView } from "./use-view.js";

/** Watch what a step says while it runs: tokens, lines or any JSON, as they come. */
export function useOutput<T = unknown>(runId: string, name: string): OutputSnapshot<T> {
  return useView(useSignoff().output<T>(runId, name));
}
