/** Which verb fits which run. Pure; the server has the last word. */
import type { RunRow, Verbs } from "@signoff/client";

export type Verb = keyof Verbs;

/** What may be done to several at once. */
export const BULK: readonly Verb[] = ["retry", "pause", "resume", "cancel", "terminate", "delete"];

/** True if a verb can do something to a run at all. */
export function fits(verb: Verb, { status }: RunRow): boolean {
  const ended = status === "completed" || status === "cancelled";
  switch (verb) {
    case "pause":
      return !ended && status !== "failed" && status !== "paused";
    case "resume":
      return status === "paused";
    case "cancel":
      return !ended && status !== "failed";
    case "terminate":
      return !ended;
    case "retry":
      return status === "blocked" || status === "failed";
    case "delete":
      return ended || status === "failed";
    case "fork":
      return true;
    case "rewind":
      return !ended;
  }
}
