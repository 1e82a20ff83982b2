import type { UndeliveredSnapshot, UndeliveredView } from "../index.js";
import { useSignoff } from "./provider.js";
import { useView } from "./use-view.js";

/** What `useUndelivered` gives: what waits to be sent, the refusals nobody has read, and how to put one away. */
export type UseUndelivered = UndeliveredSnapshot & Pick<UndeliveredView, "dismiss">;

/** Watch the answers that wait to be sent, and those that were refused after their page had gone. */
export function useUndelivered(): UseUndelivered {
  const { undelivered } = useSignoff();
  return { ...useView(undelivered), dismiss: undelivered.dismiss };
}
