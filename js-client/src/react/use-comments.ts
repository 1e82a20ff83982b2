import type { CommentsSnapshot, CommentsView } from "../index.js";
import { useSignoff } from "./provider.js";
import { useView } from "./use-view.js";

/** What `useComments` gives: the comments, and how to add one. */
export type UseComments = CommentsSnapshot & Pick<CommentsView, "add" | "retry" | "dismiss">;

/** Watch and add to the comments on one request; `principals` for those who may not read its run. */
export function useComments(runId: string, key: string, principals?: string | readonly string[]): UseComments {
  const view = useSignoff().comments(runId, key, principals);
  const { add, retry, dismiss } = view;
  return { ...useView(view), add, retry, dismiss };
}
