/** A run told as a story: its rows, put in the order in which things began. Pure. */

import type { InputRow, RunRow, StepRow } from "@signoff/client";

export type Moment =
  | { kind: "started"; at: string }
  | { kind: "step"; at: string; step: StepRow }
  | { kind: "asked"; at: string; input: InputRow }
  | { kind: "decided"; at: string; input: InputRow }
  | { kind: "sleeping"; at: string }
  | { kind: "blocked"; at: string; run: RunRow }
  | { kind: "ended"; at: string; run: RunRow };

const ENDED = new Set(["completed", "failed", "cancelled"]);

/** Tell whether a run is over. */
export function isOver(run: RunRow): boolean {
  return ENDED.has(run.status);
}

/** What is written down in one breath has one time; causes come before what they caused. */
const RANK = { started: 0, decided: 1, step: 2, asked: 3, sleeping: 4, blocked: 4, ended: 5 } as const;

/** Order a run's rows in time. */
export function timeline(run: RunRow, steps: readonly StepRow[], inputs: readonly InputRow[]): Moment[] {
  const moments: Moment[] = [{ kind: "started", at: run.created_at }];
  for (const step of steps) moments.push({ kind: "step", at: step.started_at, step });
  for (const input of inputs) {
    moments.push({ kind: "asked", at: input.asked_at, input });
    if (input.status !== "pending") moments.push({ kind: "decided", at: input.decided_at ?? run.updated_at, input });
  }
  moments.sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0) || RANK[a.kind] - RANK[b.kind]);
  if (run.status === "sleeping") moments.push({ kind: "sleeping", at: run.updated_at });
  if (run.status === "blocked") moments.push({ kind: "blocked", at: run.updated_at, run });
  if (isOver(run)) moments.push({ kind: "ended", at: run.updated_at, run });
  return moments;
}
