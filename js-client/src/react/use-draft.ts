import type { DraftSnapshot, DraftView } from "../index.js";
import { useSignoff } from "./provider.js";
import { useView } from "./use-view.js";

/** What `useDraft` gives: what is filled in, how it stands, and how to save it. */
export type UseDraft<T = unknown> = DraftSnapshot<T> & Pick<DraftView<T>, "save" | "flush" | "discard" | "choose">;

/** Watch and save what the signed-in person has filled in of one request. */
export function useDraft<T = unknown>(runId: string, key: string): UseDraft<T> {
  const view = useSignoff().draft<T>(runId, key);
  const { save, flush, discard, choose } = view;
  return { ...useView(view), save, flush, discard, choose };
}
