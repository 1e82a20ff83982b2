import type { ClaimSnapshot, ClaimView } from "../index.js";
import { useSignoff } from "./provider.js";
import { useView } from "./use-view.js";

/** What `useClaim` gives: who has the request, and how to take it and give it back. */
export type UseClaim = ClaimSnapshot & Pick<ClaimView, "claim" | "release">;

/** Watch and take the claim of one request. It is claimed anew before it ends, while the component is there and its page in front. */
export function useClaim(runId: string, key: string): UseClaim {
  const view = useSignoff().claim(runId, key);
  const { claim, release } = view;
  return { ...useView(view), claim, release };
}
