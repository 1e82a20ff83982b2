import type { MessagesOptions, MessagesSnapshot } from "../index.js";
import { useSignoff } from "./provider.js";
import { useView } from "./use-view.js";

/** Watch the messages of any stream, as they come: one of yours, or, for operators, a run's journal, `runs/{runId}/journal`. */
export function useMessages<T = unknown>(path: string, options?: MessagesOptions): MessagesSnapshot<T> {
  return useView(useSignoff().messages<T>(path, options));
}
