/** What is the matter with a run, in words. Pure. */

import type { RowError, RunRow } from "@signoff/client";
import { words } from "./format";

export interface Trouble {
  tone: "bad" | "plain";
  title: string;
  text: string;
}

const STUCK = new Map([
  ["workflow_stuck", "Its code went on too long without waiting for anything."],
  ["worker_lost", "Three workers, one after the other, were lost over it."],
  ["unknown_workflow", "No running worker knows its workflow."],
  ["non_determinism", "Its code is no longer the code it was begun with."],
]);

/** Say what is wrong; null where nothing is. A blocked run has not failed, nor has one that was ended from outside. */
export function troubleOf({ status, error }: Pick<RunRow, "status" | "error">): Trouble | null {
  if (error === null) return null;
  if (status === "blocked") {
    const why = STUCK.get(error.code) ?? `${saidOf(error)}.`;
    return { tone: "bad", title: "This run is stuck", text: `${why} Nothing is lost: it goes on with other code, or when an operator tries it again.` };
  }
  if (error.code === "terminated") return { tone: "plain", title: "This run was ended from outside", text: "Its code did not run to the end." };
  const title = status === "cancelled" ? "This run was cancelled and could not clean up" : "This run failed";
  return { tone: "bad", title, text: saidOf(error) };
}

/** Say an error: in the workflow's words, if it has any for people. */
export function saidOf({ message, code }: RowError): string {
  return message ?? words(code);
}
