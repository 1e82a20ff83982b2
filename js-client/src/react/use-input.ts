import type { InputFiles, InputSnapshot, InputView } from "../index.js";
import { useSignoff } from "./provider.js";
import { useView } from "./use-view.js";
import type { ViewOptions } from "./use-view.js";

/** What `useInput` gives: the request as it stands, the answer's state, and how to give one, with files if it takes any. */
export type UseInput = InputSnapshot & Pick<InputView, "answer" | "acknowledge" | "seen"> & { readonly files?: InputFiles };

/** Watch and answer one request; `key` is `name:n`, as `inputKey(row)` gives it. */
export function useInput(runId: string, key: string, options?: ViewOptions): UseInput {
  const signoff = useSignoff();
  const view = signoff.input(runId, key);
  const { answer, acknowledge, seen } = view;
  return { ...useView(view, options), answer, acknowledge, seen, files: signoff.files(runId, key) };
}
