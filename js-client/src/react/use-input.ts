import type { InputSnapshot, InputView } from "../index.js";
import { useSignoff } from "./provider.js";
import { useView } from "./use-view.js";

/** What `useInput` gives: the request as it stands, the answer's state, and how to give one. */
export type UseInput = InputSnapshot & Pick<InputView, "answer" | "acknowledge" | "seen">;

/** Watch and answer one request; `key` is `name:n`, as `inputKey(row)` gives it. */
export function useInput(runId: string, key: string): UseInput {
  const view = useSignoff().input(runId, key);
  const { answer, acknowledge, seen } = view;
  return { ...useView(view), answer, acknowledge, seen };
}
